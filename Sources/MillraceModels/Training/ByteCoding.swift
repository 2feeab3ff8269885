internal import MillraceCompute

/// Numbers to bytes: 64 bits each, or 32 for a float; little-endian.
struct ByteWriter {
    var bytes: [UInt8] = []

    /// The bytes in 64-bit numbers, if nothing but those was appended.
    var words: [UInt64] {
        var reader = ByteReader(bytes)
        return reader.allWords()
    }

    mutating func append(_ value: UInt64) { appendBytes(of: value) }

    mutating func append(_ values: [UInt64]) { NumberBytes.append(values, to: &bytes) }

    mutating func append(_ values: [Double]) { NumberBytes.append(values, to: &bytes) }

    mutating func append(_ values: [Float]) { NumberBytes.append(values, to: &bytes) }

    /// A text: how many bytes of UTF-8, and those.
    mutating func append(_ text: String) {
        append(UInt64(text.utf8.count))
        bytes += text.utf8
    }

    private mutating func appendBytes(of value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}

/// Bytes to numbers, never beyond the end.
struct ByteReader {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func word(_ what: String) throws(ModelError) -> UInt64 {
        try require(8, what)
        return UInt64(take(UInt64.self))
    }

    /// A number of things, at most `most`.
    mutating func count(_ what: String, atMost most: Int) throws(ModelError) -> Int {
        let value = try word(what)
        guard value <= UInt64(most) else {
            throw malformed("\(what) is \(value), where at most \(most) is possible")
        }
        return Int(value)
    }

    mutating func words(_ count: Int, _ what: String) throws(ModelError) -> [UInt64] {
        try require(count, each: 8, what)
        return (0..<count).map { _ in take(UInt64.self) }
    }

    /// All whole numbers that are left.
    mutating func allWords() -> [UInt64] {
        (0..<(bytes.count - position) / 8).map { _ in take(UInt64.self) }
    }

    mutating func doubles(_ count: Int, _ what: String) throws(ModelError) -> [Double] {
        let values = try words(count, what).map { Double(bitPattern: $0) }
        guard values.allSatisfy(\.isFinite) else { throw malformed("\(what) is not finite") }
        return values
    }

    mutating func floats(_ count: Int, _ what: String) throws(ModelError) -> [Float] {
        try require(count, each: 4, what)
        let values = (0..<count).map { _ in Float(bitPattern: take(UInt32.self)) }
        guard values.allSatisfy(\.isFinite) else { throw malformed("\(what) is not finite") }
        return values
    }

    /// A text of at most `most` bytes.
    mutating func text(_ what: String, atMost most: Int) throws(ModelError) -> String {
        let length = try count("the length of \(what)", atMost: most)
        try require(length, what)
        let found = String(validating: bytes[position..<position + length], as: UTF8.self)
        guard let found else { throw malformed("\(what) is not UTF-8") }
        position += length
        return found
    }

    func requireEnd() throws(ModelError) {
        guard position == bytes.count else {
            throw malformed("\(bytes.count - position) bytes follow the end")
        }
    }

    func malformed(_ what: String) -> ModelError {
        ModelError(.malformedCheckpoint, what, bytePosition: position)
    }

    private func require(
        _ count: Int, each size: Int = 1, _ what: String
    ) throws(ModelError) {
        let left = bytes.count - position
        guard count <= left / size else {
            throw malformed("\(what) needs \(count) times \(size) bytes; \(left) are left")
        }
    }

    private mutating func take<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) -> T {
        var value: T = 0
        for i in 0..<T.bitWidth / 8 { value |= T(bytes[position + i]) << (8 * i) }
        position += T.bitWidth / 8
        return value
    }
}
