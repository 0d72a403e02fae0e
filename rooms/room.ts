import { join } from 'node:path';
// Removes temporary directories after the last test: of the room, as it is loaded here.
import '../packages/cli/test/command';
import { ROOT, filesOf } from './files';

/** Declares the tests of all files of a room. What a file's tests are called begins with its path. */
export function room(number: number): void {
  for (const file of filesOf(number)) {
    describe(file, () => {
      try {
        // eslint-disable-next-line @typescript-eslint/no-require-imports -- which files there are is found out
        require(join(ROOT, file));
      } catch (error) {
        it('can be loaded', () => {
          throw error;
        });
      }
    });
  }
}
