export { tellStory, type DiagramContext, type DiagramRoles, type Lane, type StoryLine } from './story';
export { DIAGRAM_SIZE, PLAIN, renderDiagram, type Caption, type Paint } from './render';
