/**
 * RxJS's own Subject, by the path of its file: `rxjs` loads its two hundred operators with it, none of which a machine
 * needs, and that takes longer than many a run.
 */
export { Subject } from 'rxjs/internal/Subject';
