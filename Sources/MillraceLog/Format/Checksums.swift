internal import MillraceSystem

/// The checksum of a batch's stored payload.
func checksumOfPayload(_ payload: RawSpan) -> UInt32 { CRC32C.checksum(payload) }
