// Runs once for each test file: closes what it opened. Files share the modules of their worker, so nothing may be left behind.

import { afterAll } from 'vitest'
import { closeAll } from './node.ts'

afterAll(closeAll)
