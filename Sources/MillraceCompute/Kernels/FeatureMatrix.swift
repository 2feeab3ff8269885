/// How the elements of a matrix are stored; those that a topic of the log can have.
public enum MatrixElement: Sendable, Equatable {
    /// IEEE 754 binary32.
    case float32
    /// IEEE 754 binary16.
    case float16
    /// The upper half of a float32.
    case bfloat16
    /// An unsigned byte, which stands for `(byte - zeroPoint) * scale`.
    case uint8(scale: Float, zeroPoint: Int32)
    /// A signed byte, which stands for `(byte - zeroPoint) * scale`.
    case int8(scale: Float, zeroPoint: Int32)

    /// Bytes of one element.
    public var byteCount: Int {
        switch self {
        case .float32: 4
        case .float16, .bfloat16: 2
        case .uint8, .int8: 1
        }
    }
}

/// Borrowed rows of features, as they are stored.
///
/// **Layout**: row-major; `stride` bytes from row to row, a multiple of an element's bytes.
public struct FeatureMatrix: ~Escapable {
    /// The memory that is borrowed.
    public let bytes: RawSpan
    /// How many rows there are.
    public let rows: Int
    /// Bytes from the start of one row to that of the next.
    public let stride: Int
    /// What each number is stored as.
    public let element: MatrixElement

    /// Rows in bytes that may hold any element type.
    ///
    /// - Precondition: `stride` is a multiple of an element's bytes.
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan, rows: Int, stride: Int, element: MatrixElement) {
        precondition(
            rows >= 0 && stride >= 0 && stride % element.byteCount == 0,
            "rows are whole elements apart")
        self.bytes = bytes
        self.rows = rows
        self.stride = stride
        self.element = element
    }

    /// Rows of float32, `stride` floats apart.
    @_lifetime(copy floats)
    public init(_ floats: Span<Float>, rows: Int, stride: Int) {
        precondition(rows >= 0 && stride >= 0, "rows cannot overlap backwards")
        // SAFETY: floats have no padding, and the bytes borrow what the span borrows.
        bytes = unsafe floats.bytes
        self.rows = rows
        self.stride = stride * MemoryLayout<Float>.stride
        element = .float32
    }
}

/// Rows of features that are kept as they came.
package struct StoredRows: Sendable {
    private let bytes: [UInt8]
    private let rows: Int
    private let stride: Int
    private let element: MatrixElement

    /// A copy of `features`, gaps included.
    package init(copying features: borrowing FeatureMatrix) {
        var copy: [UInt8] = []
        // SAFETY: the buffer is only read in the closure.
        unsafe features.bytes.withUnsafeBytes { unsafe copy.append(contentsOf: $0) }
        bytes = copy
        rows = features.rows
        stride = features.stride
        element = features.element
    }

    /// The rows.
    package var matrix: FeatureMatrix {
        @_lifetime(borrow self)
        get {
            // SAFETY: the bytes live as long as `self`, which the matrix borrows.
            let matrix = unsafe FeatureMatrix(
                bytes.span.bytes, rows: rows, stride: stride, element: element)
            return unsafe _overrideLifetime(matrix, borrowing: self)
        }
    }
}
