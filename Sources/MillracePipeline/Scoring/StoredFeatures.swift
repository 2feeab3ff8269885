internal import MillraceCompute
internal import MillraceLog

/// The log's features as the kernels take them: where they are, and as they are stored.
extension RecordBatch {
    /// The rows that are not skipped.
    @_lifetime(copy self)
    borrowing func features(_ element: MatrixElement) -> FeatureMatrix {
        let bytes = stride * element.byteCount
        return FeatureMatrix(
            storedMatrix.extracting(skippedRows * bytes..<rows * bytes), rows: rows - skippedRows,
            stride: bytes, element: element)
    }
}

extension MatrixElement {
    /// What a topic says of its elements.
    init(_ decoding: ElementDecoding) {
        let zeroPoint = Int32(decoding.zeroPoint)
        self =
            switch decoding.type {
            case .float32: .float32
            case .float16: .float16
            case .bfloat16: .bfloat16
            case .uint8: .uint8(scale: decoding.scale, zeroPoint: zeroPoint)
            case .int8: .int8(scale: decoding.scale, zeroPoint: zeroPoint)
            }
    }
}
