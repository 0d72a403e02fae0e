/** Ways to update one XSAVE feature of the running task, for two clients. */
export { UPDATE_PATCHES, UPDATE_WAYS, type ClientId, type NamedWay } from './ways';
export type { UpdateHelper, UpdateWay } from './helper';
