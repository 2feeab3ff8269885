internal import CLZ4

/// `bytes` as an LZ4 frame with a content checksum and small blocks.
package func frame(_ bytes: [UInt8]) -> [UInt8] {
    var preferences = LZ4F_preferences_t()
    preferences.frameInfo.blockSizeID = LZ4F_max64KB
    preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
    var output = [UInt8](
        repeating: 0, count: unsafe LZ4F_compressFrameBound(bytes.count, &preferences))
    let count = unsafe LZ4F_compressFrame(
        &output, output.count, bytes, bytes.count, &preferences)
    precondition(LZ4F_isError(count) == 0)
    return Array(output.prefix(count))
}
