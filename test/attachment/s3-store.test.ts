// The store in a bucket, against a server that a package brings.

import { s3Suite } from './s3.ts'
import { startS3 } from './s3-server.ts'

s3Suite(startS3)
