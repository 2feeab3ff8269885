internal import MillraceCompute

extension Safetensors {
    /// Longer headers are refused, as the format's own reader does.
    private static let maxHeaderBytes = 100_000_000

    /// Reads a file's bytes, whatever they are.
    ///
    /// Refused are lengths beyond the file, broken JSON, names that occur twice, element types other
    /// than `F32`, shapes that overflow or do not fit their bytes, and tensors that overlap or leave
    /// gaps.
    ///
    /// - Throws: `RepositoryError` with `malformedFile` and the byte.
    package init(_ bytes: [UInt8], path: String) throws(RepositoryError) {
        func malformed(_ detail: String, at position: Int) -> RepositoryError {
            RepositoryError(.malformedFile, path: path, detail, bytePosition: position)
        }
        guard bytes.count >= 8 else {
            throw malformed("\(bytes.count) bytes are too few for safetensors", at: 0)
        }
        let length = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[$1]) << (8 * UInt64($1)) }
        guard length <= UInt64(min(bytes.count - 8, Self.maxHeaderBytes)) else {
            throw malformed(
                "a header of \(length) bytes, where at most "
                    + "\(min(bytes.count - 8, Self.maxHeaderBytes)) are possible", at: 0)
        }
        let start = 8 + Int(length)
        var parser = SafetensorsHeader(bytes, in: 8..<start, path: path)
        try parser.parse()
        metadata = parser.metadata
        tensors = []
        var end = 0
        for entry in parser.entries.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            guard entry.range.lowerBound == end, entry.range.upperBound <= bytes.count - start
            else {
                throw malformed(
                    "the tensor '\(entry.name)' has the bytes \(entry.range.lowerBound) to "
                        + "\(entry.range.upperBound); it must begin at \(end) and end by "
                        + "\(bytes.count - start)", at: entry.position)
            }
            end = entry.range.upperBound
            let place = start + entry.range.lowerBound..<start + entry.range.upperBound
            tensors.append(
                Tensor(
                    name: entry.name, shape: entry.shape,
                    values: NumberBytes.floats(bytes.span, in: place)))
        }
        guard start + end == bytes.count else {
            throw malformed("\(bytes.count - start - end) bytes are of no tensor", at: start + end)
        }
    }
}
