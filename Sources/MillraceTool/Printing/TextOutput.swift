internal import Glibc
internal import MillraceInput
internal import MillracePipeline
internal import MillraceSystem

/// Text on its way to a file or a pipe, which it goes to in large pieces.
///
/// **Thread-safety**: one owner. **Memory**: a piece, and the largest value that is appended.
@safe struct TextOutput: ~Copyable {
    /// From this size on, text is worth being written.
    static let pieceBytes = 256 << 10

    private let descriptor: Int32
    private var memory: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    /// Bytes that wait to be written.
    private(set) var count = 0

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        capacity = 2 * Self.pieceBytes
        unsafe memory = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    }

    deinit { unsafe memory.deallocate() }

    /// Whether enough waits to be written.
    var isFull: Bool { count >= Self.pieceBytes }

    /// Makes room for `bytes` more.
    @inline(__always)
    private mutating func reserve(_ bytes: Int) {
        if capacity - count < bytes { grow(bytes) }
    }

    private mutating func grow(_ bytes: Int) {
        let larger = max(2 * capacity, count + bytes)
        let next = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        // SAFETY: both have room for what waits, and do not overlap.
        unsafe next.update(from: memory, count: count)
        unsafe memory.deallocate()
        unsafe memory = next
        capacity = larger
    }

    // MARK: Appending

    @inline(__always)
    mutating func append(byte: UInt8) {
        reserve(1)
        // SAFETY: here and below, room was made just before.
        unsafe memory[count] = byte
        count += 1
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        let size = text.utf8CodeUnitCount
        reserve(size)
        unsafe (memory + count).update(from: text.utf8Start, count: size)
        count += size
    }

    @inline(__always)
    mutating func append(_ text: Span<UInt8>) {
        guard !text.isEmpty else { return }
        reserve(text.count)
        let target = unsafe memory + count
        unsafe text.withUnsafeBufferPointer { source in
            guard let start = source.baseAddress else { return }
            unsafe target.update(from: start, count: source.count)
        }
        count += text.count
    }

    mutating func append(_ text: [UInt8]) { append(text.span) }

    mutating func append(decimal value: Int64) {
        if value < 0 { append(byte: UInt8(ascii: "-")) }
        append(decimal: value.magnitude)
    }

    /// Appends a whole number.
    mutating func append(decimal value: UInt64) {
        reserve(20)
        var length = 1
        var limit: UInt64 = 10
        while length < 20, value >= limit {
            length += 1
            limit = length < 20 ? limit * 10 : limit
        }
        var left = value
        for place in (0..<length).reversed() {
            let (rest, digit) = left.quotientAndRemainder(dividingBy: 10)
            unsafe memory[count + place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
            left = rest
        }
        count += length
    }

    /// Appends numbers between commas, the shortest text of each.
    mutating func append(_ values: Span<Float>, special: ShortestFloat.Special) {
        reserve(ShortestFloat.room(for: values.count))
        // SAFETY: the memory is this value's alone.
        var target = unsafe MutableSpan<UInt8>(_unsafeStart: memory, count: capacity)
        count = ShortestFloat.write(values, into: &target, at: count, special: special)
    }

    /// Appends numbers as they are in memory: little-endian.
    mutating func append(raw values: Span<Float>) {
        reserve(values.count * 4)
        for index in values.indices {
            let bits = values[index].bitPattern
            for byte in 0..<4 {
                unsafe memory[count] = UInt8(truncatingIfNeeded: bits >> UInt32(8 * byte))
                count += 1
            }
        }
    }

    /// Appends text as a JSON string; what is not UTF-8 becomes U+FFFD.
    mutating func append(quoted text: Span<UInt8>) {
        append(byte: UInt8(ascii: "\""))
        if ValidText.firstFault(in: text) == nil {
            escape(text)
        } else {
            let repaired = String(decoding: text.indices.map { text[$0] }, as: UTF8.self)
            escape(Array(repaired.utf8).span)
        }
        append(byte: UInt8(ascii: "\""))
    }

    private mutating func escape(_ text: Span<UInt8>) {
        var at = 0
        while true {
            let next = Self.firstEscaped(in: text, from: at)
            append(text.extracting(at..<next))
            guard next < text.count else { return }
            appendEscape(text[next])
            at = next + 1
        }
    }

    private mutating func appendEscape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        default:
            append("\\u00")
            for half in [byte >> 4, byte & 15] {
                append(byte: half + (half < 10 ? 0x30 : 0x57))
            }
        }
    }

    /// The first byte from `start` on that a JSON string cannot have as it is; the text's end where
    /// there is none.
    private static func firstEscaped(in text: Span<UInt8>, from start: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let tops: UInt64 = 0x8080_8080_8080_8080
        var at = start
        // SAFETY: bytes have no padding between them.
        let bytes = unsafe text.bytes
        while at + 8 <= text.count {
            // SAFETY: eight bytes from `at` on are in the span.
            let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
            let quote = word ^ (ones &* 0x22)
            let slash = word ^ (ones &* 0x5C)
            // The lowest bit that is set tells truly; those above it may be its carries.
            let found =
                ((word &- ones &* 0x20) & ~word | (quote &- ones) & ~quote
                    | (slash &- ones) & ~slash) & tops
            if found != 0 { return at + found.trailingZeroBitCount / 8 }
            at += 8
        }
        while at < text.count {
            let byte = text[at]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C { return at }
            at += 1
        }
        return at
    }

    // MARK: Writing

    /// Writes what waits.
    ///
    /// - Returns: False when whoever read has gone, which is no failure.
    /// - Throws: `PipelineError` with `inputOutput`.
    mutating func flush() throws(PipelineError) -> Bool {
        var written = 0
        while written < count {
            let result = unsafe Glibc.write(descriptor, memory + written, count - written)
            if result >= 0 {
                written += result
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&request, 1, 100)
            case EPIPE:
                count = 0
                return false
            default:
                let error = SystemError(operation: "write", path: "standard output", errno: errno)
                count = 0
                throw PipelineError(
                    .inputOutput, "cannot write to standard output: \(error.reason)")
            }
        }
        count = 0
        return true
    }
}
