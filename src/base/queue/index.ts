export { type Event, type Handler, InProcessQueue, type Message, type Queue } from './queue.ts'
