/** What the operator may say about sagas. */
import { float, section } from '../config/index.ts'

export const sagaConfig = section('saga', {
  keepDays: float({
    default: 7,
    min: 0,
    max: 36_500,
    doc: 'Days for which the log of ended multi-step work is kept; what is stuck or unfinished is kept for ever.',
  }),
})
