internal import CLZ4

/// Decodes LZ4 frames, one after the other, as they arrive.
///
/// **Thread-safety**: one owner. Header, block and content checksums are checked where the frame
/// has them.
///
/// - Source: LZ4 Frame Format Description 1.6.4.
@safe final class FrameDecoder: @unchecked Sendable {
    // Sendable: the context has no ties to a thread, and a decoder belongs to one `ByteSource`,
    // which cannot be copied.

    /// How a frame begins.
    static let magic: [UInt8] = [0x04, 0x22, 0x4D, 0x18]

    private let path: String
    private var context: OpaquePointer?
    private var input: [UInt8]
    private var available: Range<Int>
    /// How many stored bytes the decoder has taken.
    private var taken = 0
    /// Whether a frame has begun and not ended.
    private var isInsideFrame = false
    private var failure: InputError?
    /// Whether the last call has filled its room, so that more may be left in the context.
    private var hasFilledRoom = false

    /// Whether there may be bytes to be had without reading from the file.
    var mayHaveMore: Bool { hasFilledRoom || !available.isEmpty || failure != nil }

    /// A decoder of a file whose first bytes, `head`, have been read already.
    init(path: String, head: [UInt8]) {
        self.path = path
        self.input = head + [UInt8](repeating: 0, count: (64 << 10) - head.count)
        self.available = 0..<head.count
        let status = unsafe LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
        precondition(LZ4F_isError(status) == 0, "no memory for an LZ4 context")
    }

    deinit { unsafe LZ4F_freeDecompressionContext(context) }

    /// Decodes bytes into `buffer[start...]`, and says how many; 0 only at the end of the file.
    func read(
        into buffer: inout [UInt8], from start: Int, of file: borrowing InputFile
    ) throws(InputError) -> Int {
        if let failure { throw failure }
        do throws(InputError) {
            while true {
                var isAtEnd = false
                if available.isEmpty {
                    available = try 0..<file.read(into: &input, from: 0)
                    isAtEnd = available.isEmpty
                }
                if isAtEnd, !isInsideFrame { return 0 }
                let count = try decode(into: &buffer, from: start)
                if count > 0 { return count }
                if isAtEnd {
                    throw InputError(
                        .truncatedFrame, path: path, byte: taken,
                        expected: "the rest of an LZ4 frame",
                        found: "the end of the file: it was cut short, or is still being written")
                }
            }
        } catch {
            failure = error
            throw error
        }
    }

    /// Decodes what is available; 0 where more is needed first.
    private func decode(
        into buffer: inout [UInt8], from start: Int
    ) throws(InputError) -> Int {
        var produced = buffer.count - start
        var consumed = available.count
        // SAFETY: both regions outlive the call, which keeps within the counts that it is given.
        let status = unsafe input.withUnsafeBytes { stored in
            unsafe buffer.withUnsafeMutableBytes { decoded in
                let room = unsafe UnsafeMutableRawBufferPointer(rebasing: decoded[start...])
                let rest = unsafe UnsafeRawBufferPointer(rebasing: stored[available])
                return unsafe LZ4F_decompress(
                    context, room.baseAddress, &produced, rest.baseAddress, &consumed, nil)
            }
        }
        if LZ4F_isError(status) != 0 {
            let reason = unsafe String(cString: LZ4F_getErrorName(status))
            throw InputError(
                .corruptFrame, path: path, byte: taken, expected: "an undamaged LZ4 frame",
                found: "damage in the next \(available.count) bytes (\(reason))")
        }
        available = (available.lowerBound + consumed)..<available.upperBound
        taken += consumed
        isInsideFrame = status != 0
        hasFilledRoom = produced == buffer.count - start
        return produced
    }
}
