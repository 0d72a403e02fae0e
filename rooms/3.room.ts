import { room } from './room';

room(3);
