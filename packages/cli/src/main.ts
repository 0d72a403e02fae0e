/** The process: arguments in, exit code out. */
import { main } from './cli';
import { EXIT } from './exit-codes';

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

void main(process.argv).then((exitCode) => {
  process.exitCode = exitCode;
});
