/** What our SVG files have in common. */

/** A line of text. */
export function svgText(x: number, y: number, look: string, content: string): string {
  return `<text class="${look}" x="${x}" y="${y}">${escapeXml(content)}</text>`;
}

/** Text between tags or in an attribute. */
export function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
