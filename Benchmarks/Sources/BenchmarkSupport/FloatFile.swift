internal import FoundationEssentials

/// Writes numbers as little-endian float32.
public func write(_ numbers: Span<Float>, to path: String) throws {
    let bits = numbers.indices.map { numbers[$0].bitPattern.littleEndian }
    let data = unsafe bits.withUnsafeBytes { unsafe Data($0) }
    try data.write(to: URL(filePath: path))
}

/// The numbers of a file of little-endian float32.
public func readFloats(_ path: String) throws -> [Float] {
    let data = try Data(contentsOf: URL(filePath: path))
    return stride(from: 0, to: data.count & ~3, by: 4).map { place in
        let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(data[place + $1]) << (8 * $1) }
        return Float(bitPattern: bits)
    }
}
