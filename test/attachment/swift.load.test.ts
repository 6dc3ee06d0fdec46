// The store in a bucket, against OpenStack Swift. It needs Debian's packages swift, swift-proxy, swift-account, swift-container and
// swift-object.

import { s3Suite } from './s3.ts'
import { startSwift } from './swift-server.ts'

s3Suite(startSwift)
