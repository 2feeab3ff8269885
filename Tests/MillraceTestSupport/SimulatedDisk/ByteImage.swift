internal import Glibc

/// The bytes of a file, written anywhere; gaps are zeros.
///
/// Plain memory copies, so that tests built without optimisation are fast, too.
struct ByteImage: Sendable, Equatable {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    var count: Int { bytes.count }

    /// Cuts the bytes, or fills up with zeros.
    mutating func resize(to count: Int) {
        if count <= bytes.count {
            bytes.removeLast(bytes.count - count)
        } else {
            bytes += Self.zeros(count - bytes.count)
        }
    }

    /// Writes the part `range` of `source` to `offset`; the image grows over it.
    mutating func write(_ source: [UInt8], _ range: Range<Int>, at offset: Int) {
        guard !range.isEmpty else { return }
        if offset + range.count > bytes.count { resize(to: offset + range.count) }
        // SAFETY: both ranges are inside their arrays, which are different ones.
        unsafe bytes.withUnsafeMutableBytes { target in
            unsafe source.withUnsafeBytes { source in
                let part = unsafe UnsafeRawBufferPointer(rebasing: source[range])
                let place = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: target[offset..<offset + range.count])
                unsafe place.copyMemory(from: part)
            }
        }
    }

    /// Whether the bytes in `range` are zeros.
    func isZero(_ range: Range<Int>) -> Bool {
        precondition(range.count <= Self.block.count && range.upperBound <= bytes.count)
        // SAFETY: both areas hold `range.count` bytes.
        return unsafe bytes.withUnsafeBytes { bytes in
            unsafe Self.block.withUnsafeBytes { zeros in
                guard let start = bytes.baseAddress, let zero = zeros.baseAddress else {
                    return true
                }
                return unsafe memcmp(start + range.lowerBound, zero, range.count) == 0
            }
        }
    }

    /// A block of zeros to compare with.
    private static let block = zeros(4096)

    private static func zeros(_ count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            // SAFETY: the capacity is at least `count`.
            if let start = buffer.baseAddress { unsafe memset(start, 0, count) }
            initialized = count
        }
    }
}
