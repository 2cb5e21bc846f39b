export { runDoctor } from './doctor.ts'
export { overallStatus } from './health-check.ts'
