/** The process: arguments in, exit code out. */
import { main } from './cli';
import { EXIT } from './exit-codes';

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  process.stderr.write(`fpulab: error[FPU503]: cannot write the result: ${error.message}\n`);
  process.exit(EXIT.io);
});

void main(process.argv).then((exitCode) => {
  process.exitCode = exitCode;
});
