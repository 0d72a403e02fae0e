import { room } from './room';

room(2);
