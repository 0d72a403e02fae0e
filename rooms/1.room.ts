import { room } from './room';

room(1);
