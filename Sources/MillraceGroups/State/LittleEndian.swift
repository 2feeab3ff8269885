/// Numbers in a file: little-endian, whatever the processor.
package enum LittleEndian {
    /// The number at `position`; the caller has checked that its bytes are there.
    package static func load<Number: FixedWidthInteger>(
        _ bytes: Span<UInt8>, at position: Int, as type: Number.Type = Number.self
    ) -> Number {
        var number: Number = 0
        for index in (0..<MemoryLayout<Number>.size).reversed() {
            number = number << 8 | Number(truncatingIfNeeded: bytes[position + index])
        }
        return number
    }

    /// Puts a number at `position`.
    package static func store(
        _ number: some FixedWidthInteger, into bytes: inout [UInt8], at position: Int
    ) {
        for index in 0..<number.bitWidth / 8 {
            bytes[position + index] = UInt8(truncatingIfNeeded: number >> (8 * index))
        }
    }
}
