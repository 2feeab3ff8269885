internal import MillraceSystem

/// Turns the rows of a builder into the bytes of a batch.
///
/// `prepare` does all that costs time in proportion to the bytes, and needs nothing that only the
/// owner of the partition's end knows, who enters that into `header`; `encode` then puts it in front,
/// as often as needed.
/// **Thread-safety**: one owner.
struct BatchEncoder: ~Copyable, @unchecked Sendable {
    // Sendable: its memory is its own.

    /// Where the prepared payload stands, behind `BatchHeader.fullBytes` of header space; in
    /// `pieces` it is in the builder but for its matrix, which the caller has.
    private enum Home { case builder, staging, arena, pieces }

    private let configuration: TopicConfiguration
    // What every batch asks of the configuration, by itself: it is large to look at as a whole.
    private let kind: TopicConfiguration.Kind
    private let features: Int
    private let codec: Codec
    private let elementType: ElementType
    private var home = Home.builder
    /// Of the batch prepared last.
    ///
    /// It is changed where it stands: of so large a value each copy shows in the time of a small
    /// append.
    var header = BatchHeader()
    /// A payload whose elements were narrowed.
    private var staging = AlignedBuffer()
    private var compressor: PayloadCompressor

    init(configuration: TopicConfiguration) {
        self.configuration = configuration
        kind = configuration.kind
        features = configuration.features
        codec = configuration.codec
        elementType = configuration.elementType
        compressor = PayloadCompressor(level: configuration.level, filter: configuration.filter)
    }

    /// Seals, narrows, filters, compresses and checksums the builder's rows.
    ///
    /// Fills in `header` but for `baseOffset`, `epoch`, `previousChecksum`, `durable`,
    /// `appendedAt` and `producer`. The builder keeps its rows, so that the same rows may be
    /// prepared again.
    /// - Parameter matrix: The rows' elements where the caller has them, for `storesAsGiven`.
    /// - Throws: `LogError` with code `invalidArgument` for rows that are not of the topic's kind
    ///   or contradict each other, `tooLarge` beyond one of `LogLimits`.
    /// - Complexity: O(bytes); no allocation once the memory is large enough.
    @inline(__always)
    mutating func prepare(
        _ builder: inout BatchBuilder, matrix: RawSpan = RawSpan()
    ) throws(LogError) {
        try checkKind(&builder)
        let type = elementType
        try builder.seal(into: &header, storing: type)
        if header.rows > 0, type != builder.elementType, let narrow = type.narrow {
            try stage(&builder, narrow)
            home = .staging
        } else {
            let isHere = matrix.isEmpty
            let matrixBytes = isHere ? header.rows * header.stride : 0
            builder.placeSections(&header, matrixBytes: matrixBytes)
            home = .builder
        }
        header.storedBytes = header.decodedBytes
        if codec == .lz4 {
            let saves =
                home == .builder
                ? compressor.compress(builder.buffer, &header)
                : compressor.compress(staging, &header)
            if saves { home = .arena }
        }
        if !matrix.isEmpty { home = .pieces }
        let stored = BatchHeader.fullBytes..<BatchHeader.fullBytes + header.storedBytes
        header.payloadChecksum =
            switch home {
            case .builder: CRC32C.checksum(builder.buffer.bytes.extracting(stored))
            case .pieces:
                CRC32C.checksum(
                    builder.buffer.bytes.extracting(stored.dropFirst(matrix.byteCount)),
                    seed: CRC32C.checksum(matrix))
            case .staging: CRC32C.checksum(staging.bytes.extracting(stored))
            case .arena: CRC32C.checksum(compressor.arena.bytes.extracting(stored))
            }
        header.batchBytes = aligned64(header.headerBytes + header.storedBytes)
    }

    /// Encodes `header` in front of the payload prepared last.
    ///
    /// May be called again, when the header is another, for the same payload. Rows without a time
    /// get that of the append, `header.appendedAt`.
    /// - Complexity: O(1).
    @inline(__always)
    mutating func encode(_ builder: inout BatchBuilder) {
        if header.firstTimestamp == 0, !header.attributes.has(BatchAttributes.timestamps) {
            header.firstTimestamp = header.appendedAt
            header.maxTimestamp = header.appendedAt
        }
        switch home {
        case .builder, .pieces: Self.encode(&header, in: &builder.buffer)
        case .staging: Self.encode(&header, in: &staging)
        case .arena: Self.encode(&header, in: &compressor.arena)
        }
    }

    @inline(__always)
    private static func encode(_ header: inout BatchHeader, in buffer: inout AlignedBuffer) {
        var bytes = buffer.mutableBytes
        var front = bytes._mutatingExtracting((BatchHeader.fullBytes - header.headerBytes)...)
        header.encode(into: &front)
    }

    /// Whether a matrix of such elements is stored as it is, with nothing done to it.
    func storesAsGiven(_ type: ElementType) -> Bool { codec == .none && type == elementType }

    /// The whole batch that was encoded last, header to padding, `batchBytes` contiguous bytes; of a
    /// matrix that the caller has, there is other memory in its place.
    @inline(__always)
    @_lifetime(borrow self, borrow builder)
    func batch(of builder: borrowing BatchBuilder) -> RawSpan {
        let start = BatchHeader.fullBytes - header.headerBytes
        let range = start..<start + header.batchBytes
        switch home {
        case .builder, .pieces: return builder.memory.extracting(range)
        case .staging: return staging.bytes.extracting(range)
        case .arena: return compressor.arena.bytes.extracting(range)
        }
    }

    @inline(__always)
    private func checkKind(_ builder: inout BatchBuilder) throws(LogError) {
        guard builder.rows > 0 || builder.origin != nil else {
            throw LogError(.invalidArgument, "a batch without rows needs an origin")
        }
        let fits =
            switch kind {
            case .bytes: builder.columns == 0
            case .features: builder.columns == features || builder.rows == 0
            case .predictions: builder.columns > 0 || builder.rows == 0
            }
        guard fits else {
            throw LogError(
                .invalidArgument,
                "the topic takes \(configuration.kind.rawValue) with "
                    + "\(configuration.features) columns, not \(builder.columns) columns")
        }
    }

    /// Narrows the matrix into the staging memory and puts the other sections behind it.
    private mutating func stage(
        _ builder: inout BatchBuilder, _ type: NarrowElement
    ) throws(LogError) {
        let start = BatchHeader.fullBytes
        staging.reserve(start + aligned64(header.decodedBytes))
        let bad = Self.narrow(
            builder.matrix, to: type, into: &staging, at: start, configuration)
        if let bad {
            throw LogError(
                .invalidArgument,
                "row \(bad / header.columns), column \(bad % header.columns) is not a number, which "
                    + "\(configuration.elementType.rawValue) cannot hold; nothing was appended")
        }
        builder.sections.place(in: &staging, at: start, &header)
    }

    private static func narrow(
        _ matrix: Span<Float>, to type: NarrowElement, into buffer: inout AlignedBuffer,
        at start: Int, _ configuration: TopicConfiguration
    ) -> Int? {
        var bytes = buffer.mutableBytes
        var target = bytes._mutatingExtracting(start...)
        return ElementKernels.best.narrow(
            matrix, to: type, into: &target, scale: configuration.scale,
            zeroPoint: configuration.zeroPoint)
    }
}
