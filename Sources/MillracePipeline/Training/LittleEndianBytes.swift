extension FixedWidthInteger {
    var littleEndianBytes: [UInt8] {
        (0..<bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) }
    }
}

extension [UInt8] {
    mutating func append(littleEndian value: some FixedWidthInteger) {
        self += value.littleEndianBytes
    }

    /// The number at a byte; it has to be there.
    func number<T: FixedWidthInteger>(at byte: Int) -> T {
        var value: T = 0
        for place in (0..<T.bitWidth / 8).reversed() { value = value << 8 | T(self[byte + place]) }
        return value
    }
}
