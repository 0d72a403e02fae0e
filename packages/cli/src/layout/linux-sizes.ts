/** Linux's buffer sizes for a processor, as a document and as lines. */
import {
  LINUX_DYNAMIC_XFEATURES,
  LINUX_XSTATE_ERAS,
  calculateXstateBufSizeFromMask,
  hasCompactedForm,
  linuxFpuConfig,
  xfeaturesName,
  xstateBufferConfig,
  xstateCalculateSize,
  type LinuxFpuConfig,
} from '@fpulab/core';
import { hex, type AreaRequest } from './area-request';

/** Bytes in both forms; null where the processor has no compacted one. */
interface BothForms {
  readonly standard: number;
  readonly compacted: number | null;
}

/** The `linux` part of the document. */
export function linuxDocument(request: AreaRequest) {
  const config = linuxFpuConfig(request.model);
  const { minimum, maximum, byMask } = sizes(request, config);
  const series = xstateBufferConfig(request.model);
  return {
    version: config.era.since,
    kernelForm: config.kernelForm,
    byMask,
    minimum,
    maximum,
    fpuKernelCfg: configDocument(config.kernel),
    fpuUserCfg: configDocument(config.user),
    guestDefaultCfg: { features: hex(config.guest.features), size: config.guest.size },
    independentFeatures: hex(config.independentFeatures),
    amxSeriesV10: {
      mask: hex(series.mask),
      dynamic: hex(series.dynamic),
      minSize: series.minSize,
      maxSize: series.maxSize,
      byMask: calculateXstateBufSizeFromMask(request.model, request.layout.mask),
    },
    versions: LINUX_XSTATE_ERAS.map((era) => {
      const { kernelForm, kernel, user } = linuxFpuConfig(request.model, era);
      return {
        since: era.since,
        kernelForm,
        kernelDefaultSize: kernel.defaultSize,
        kernelMaxSize: kernel.maxSize,
        userDefaultSize: user.defaultSize,
        userMaxSize: user.maxSize,
        change: era.change,
      };
    }),
  };
}

function configDocument({ maxFeatures, defaultFeatures, maxSize, defaultSize }: LinuxFpuConfig['kernel']) {
  return { maxFeatures: hex(maxFeatures), defaultFeatures: hex(defaultFeatures), maxSize, defaultSize };
}

function sizes({ model, layout }: AreaRequest, { kernel, user }: LinuxFpuConfig) {
  const both = (standard: number, compacted: number): BothForms => ({
    standard: xstateCalculateSize(model, standard, { form: 'standard' }),
    compacted: hasCompactedForm(model) ? xstateCalculateSize(model, compacted, { form: 'compacted' }) : null,
  });
  return {
    byMask: both(layout.mask, layout.mask),
    minimum: both(user.defaultFeatures, kernel.defaultFeatures),
    maximum: both(user.maxFeatures, kernel.maxFeatures),
  };
}

/** The lines below the map. */
export function linuxLines(request: AreaRequest): readonly string[] {
  const config = linuxFpuConfig(request.model);
  const { byMask, minimum, maximum } = sizes(request, config);
  const dynamic = config.kernel.maxFeatures & LINUX_DYNAMIC_XFEATURES;
  const without = dynamic === 0 ? '' : `, without ${xfeaturesName(dynamic)}`;
  return [
    `Linux ${config.era.since}${' '.repeat(32 - config.era.since.length)}standard  compacted`,
    sizeLine('xstate_calculate_size(this mask)', byMask),
    sizeLine(`minimum${without}`, minimum),
    sizeLine('maximum', maximum),
    ...configLines(config),
    seriesLine(request),
    ...historyLines(request),
  ];
}

function sizeLine(what: string, { standard, compacted }: BothForms): string {
  return `  ${what.padEnd(36)}${String(standard).padStart(8)}${String(compacted ?? '-').padStart(11)}`;
}

function configLines({ kernelForm, kernel, user, guest }: LinuxFpuConfig): readonly string[] {
  const line = (what: string, form: string, text: string): string => `  ${what.padEnd(18)}${form.padEnd(11)}${text}`;
  return [
    line('fpu_kernel_cfg', kernelForm, defaultAndMax(kernel)),
    line('fpu_user_cfg', 'standard', defaultAndMax(user)),
    line('guest_default_cfg', kernelForm, `size ${guest.size}, features ${hex(guest.features)}`),
  ];
}

function defaultAndMax({ defaultSize, defaultFeatures, maxSize, maxFeatures }: LinuxFpuConfig['kernel']): string {
  if (defaultFeatures === maxFeatures) return `default and max_size ${maxSize}, features ${hex(maxFeatures)}`;
  return `default_size ${defaultSize}, features ${hex(defaultFeatures)}; max_size ${maxSize}, features ${hex(maxFeatures)}`;
}

/** The function of the 2021 series that was merged in another shape. */
function seriesLine({ model, layout }: AreaRequest): string {
  const { minSize, maxSize } = xstateBufferConfig(model);
  const byMask = calculateXstateBufSizeFromMask(model, layout.mask);
  return `  AMX series v10: calculate_xstate_buf_size_from_mask(this mask) ${byMask}, min_size ${minSize}, max_size ${maxSize}`;
}

/** Earlier versions, where they sized this processor's buffers otherwise. */
function historyLines({ model }: AreaRequest): readonly string[] {
  const told = LINUX_XSTATE_ERAS.map((era) => {
    const { kernelForm, kernel, user } = linuxFpuConfig(model, era);
    return {
      since: era.since,
      text: `kernel ${kernelForm} ${range(kernel)}, user standard ${range(user)}`,
    };
  });
  const changes = told.filter(({ text }, index) => index === 0 || text !== told[index - 1].text);
  if (changes.length === 1) return [`  the same sizes since Linux ${changes[0].since}`];
  return changes.map(({ since, text }) => `  since ${since.padEnd(6)}${text}`);
}

function range({ defaultSize, maxSize }: LinuxFpuConfig['kernel']): string {
  return defaultSize === maxSize ? String(maxSize) : `${defaultSize} to ${maxSize}`;
}
