import { room } from './room';

room(4);
