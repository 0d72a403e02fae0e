/** The instruction decoder. */
export { decode } from './decode';
export { format } from './format';
