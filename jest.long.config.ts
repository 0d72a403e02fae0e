/** The same tests with more random runs, longer runs and larger samples; see packages/core/test/support/often.ts. */
import config from './jest.config';

process.env.FPULAB_LONG = 'yes';

export default config;
