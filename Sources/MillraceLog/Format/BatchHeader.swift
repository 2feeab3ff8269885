internal import MillraceSystem

/// The fixed header of a record batch.
///
/// Layout, little-endian; batches start at multiples of 64 bytes in a segment:
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 0 | u32 | magic `MLRB` |
/// | 4 | u16 | format version, 2 |
/// | 6 | u16 | header bytes: 128, or 256 with an origin |
/// | 8 | u32 | CRC-32C of bytes 12 ..< header bytes |
/// | 12 | u32 | CRC-32C of the stored payload |
/// | 16 | u32 | header CRC of the batch before, 0 for the first of the partition |
/// | 20 | u32 | epoch |
/// | 24 | u64 | batch bytes: header, stored payload and padding to 64 |
/// | 32 | u64 | base offset |
/// | 40 | u32 | rows |
/// | 44 | u32 | attributes |
/// | 48 | u64 | stored payload bytes |
/// | 56 | u64 | decoded payload bytes |
/// | 64 | i64 | first timestamp, ns since 1970 |
/// | 72 | i64 | largest timestamp |
/// | 80 | i64 | time of the append |
/// | 88 | u32 | specification id |
/// | 92 | u32 | columns: features or outputs a row |
/// | 96 | u32 | stride: bytes from row to row |
/// | 100 | u8 | element type: 0 none, 1 float32, 2 float16, 3 bfloat16, 4 uint8, 5 int8 |
/// | 101 | - | zero |
/// | 104 | u32 | producer (dictionary id) |
/// | 108 | u32 | dropped rows recorded |
/// | 112 | u64 | sequence of the producer |
/// | 120 | u64 | log position that was durable at the time of the append |
/// | 128 | | origin (`BatchOrigin`), when the attribute says so |
///
/// The decoded payload is a row of sections, see `PayloadLayout`.
struct BatchHeader: Sendable, Equatable {
    var payloadChecksum: UInt32 = 0
    var previousChecksum: UInt32 = 0
    var epoch: UInt32 = 0
    var batchBytes = 0
    var baseOffset: UInt64 = 0
    var rows = 0
    var attributes = BatchAttributes()
    var storedBytes = 0
    var decodedBytes = 0
    var firstTimestamp: Int64 = 0
    var maxTimestamp: Int64 = 0
    var appendedAt: Int64 = 0
    var specification: UInt32 = 0
    var columns = 0
    var stride = 0
    /// Nil without columns.
    var elementType: ElementType?
    var producer: UInt32 = 0
    var drops = 0
    var sequence: UInt64 = 0
    var durable: UInt64 = 0
    var origin: BatchOrigin?
    /// CRC-32C of the header, as read or as written.
    var checksum: UInt32 = 0

    static let magic: UInt32 = 0x4252_4C4D
    static let version: UInt16 = 2
    static let plainBytes = 128
    static let fullBytes = plainBytes + BatchOrigin.byteCount

    @inline(__always)
    var headerBytes: Int { origin == nil ? Self.plainBytes : Self.fullBytes }

    /// Writes the header and its checksum into the first `headerBytes` of `bytes`.
    mutating func encode(into bytes: inout MutableRawSpan) {
        attributes.set(BatchAttributes.origin, origin != nil)
        bytes.store(Self.magic, at: 0)
        bytes.store(Self.version, at: 4)
        bytes.store(UInt16(headerBytes), at: 6)
        bytes.store(payloadChecksum, at: 12)
        bytes.store(previousChecksum, at: 16)
        bytes.store(epoch, at: 20)
        bytes.store(UInt64(batchBytes), at: 24)
        bytes.store(baseOffset, at: 32)
        bytes.store(UInt32(rows), at: 40)
        bytes.store(attributes.bits, at: 44)
        bytes.store(UInt64(storedBytes), at: 48)
        bytes.store(UInt64(decodedBytes), at: 56)
        bytes.store(firstTimestamp, at: 64)
        bytes.store(maxTimestamp, at: 72)
        bytes.store(appendedAt, at: 80)
        bytes.store(specification, at: 88)
        bytes.store(UInt32(columns), at: 92)
        bytes.store(UInt32(stride), at: 96)
        bytes.store(UInt32(elementType?.code ?? 0), at: 100)
        bytes.store(producer, at: 104)
        bytes.store(UInt32(drops), at: 108)
        bytes.store(sequence, at: 112)
        bytes.store(durable, at: 120)
        origin?.encode(into: &bytes)
        checksum = CRC32C.checksum(bytes.bytes.extracting(12..<headerBytes))
        bytes.store(checksum, at: 8)
    }
}

/// A rule of the header's format that the bytes break.
struct BatchHeaderFault: Error {
    /// Byte inside the batch.
    let byte: Int
    let expected: String
    let found: String
}

extension BatchHeader {
    static let maxOffset = LogLimits.maxOffset

    /// Reads and checks the header at the start of `bytes`.
    ///
    /// `bytes` holds what is left of the published segment. Fields are copied before they are checked; only the copy is used.
    init(_ bytes: RawSpan) throws(BatchHeaderFault) {
        self.init()
        try read(bytes)
    }

    /// Replaces the header by the one at the start of `bytes`, likewise; what is left when that
    /// throws is of no use.
    @inline(__always)
    mutating func read(_ bytes: RawSpan) throws(BatchHeaderFault) {
        func require(
            _ holds: Bool, _ byte: Int, _ expected: @autoclosure () -> String,
            _ found: @autoclosure () -> String
        ) throws(BatchHeaderFault) {
            if !holds { throw BatchHeaderFault(byte: byte, expected: expected(), found: found()) }
        }
        let left = bytes.byteCount
        try require(left >= Self.plainBytes, 0, "a batch header of 128 bytes", "\(left) bytes")
        let magic: UInt32 = bytes.load(0)
        try require(magic == Self.magic, 0, "magic MLRB", hex(magic))
        let version: UInt16 = bytes.load(4)
        try require(version == Self.version, 4, "format version 2", "\(version)")
        let length = Int(bytes.load(6, as: UInt16.self))
        try require(
            length == Self.plainBytes || length == Self.fullBytes, 6, "128 or 256 header bytes",
            "\(length)")
        try require(left >= length, 0, "a batch header of \(length) bytes", "\(left) bytes")
        checksum = bytes.load(8)
        let computed = CRC32C.checksum(bytes.extracting(12..<length))
        try require(checksum == computed, 8, "header checksum \(hex(computed))", hex(checksum))
        readFields(bytes)
        origin = length == Self.fullBytes ? BatchOrigin(bytes) : nil
        try checkSizes(left: left)
        try checkSections(element: bytes.load(100))
    }

    /// Checks that lengths and counts agree with each other.
    @inline(__always)
    private func checkSizes(left: Int) throws(BatchHeaderFault) {
        func require(
            _ holds: Bool, _ byte: Int, _ expected: @autoclosure () -> String,
            _ found: @autoclosure () -> String
        ) throws(BatchHeaderFault) {
            if !holds { throw BatchHeaderFault(byte: byte, expected: expected(), found: found()) }
        }
        try require(
            attributes.bits & ~BatchAttributes.known == 0, 44, "known attribute bits",
            hex(attributes.bits))
        try require(
            attributes.has(BatchAttributes.origin) == (origin != nil), 44,
            "the origin attribute to match the header's length", hex(attributes.bits))
        try require(
            storedBytes <= LogLimits.maxBatchBytes
                && batchBytes == aligned64(headerBytes + storedBytes)
                && batchBytes <= left,
            24, "a batch of \(headerBytes) + \(storedBytes) bytes within \(left)",
            "\(batchBytes) bytes")
        try require(
            attributes.codec == .lz4
                ? decodedBytes <= min(LogLimits.maxBatchBytes, 255 * storedBytes)
                : decodedBytes == storedBytes,
            56, "a decoded length that fits the codec", "\(decodedBytes)")
        try require(
            rows <= LogLimits.maxRows && drops <= LogLimits.maxBatchBytes
                && stride <= LogLimits.maxBatchBytes,
            40, "at most 2^28 rows, 2^30 drops and a stride of 2^30",
            "\(rows), \(drops), \(stride)")
        let last = max(baseOffset, origin?.begin ?? 0, origin?.end ?? 0)
        try require(last <= LogLimits.maxOffset, 32, "offsets of at most 2^55", "\(last)")
    }

    /// Checks that every section whose length the header tells lies in the payload.
    @inline(__always)
    private func checkSections(element: UInt8) throws(BatchHeaderFault) {
        func require(
            _ holds: Bool, _ byte: Int, _ expected: @autoclosure () -> String,
            _ found: @autoclosure () -> String
        ) throws(BatchHeaderFault) {
            if !holds { throw BatchHeaderFault(byte: byte, expected: expected(), found: found()) }
        }
        try require(
            (elementType == nil) == (columns == 0) && (elementType?.code ?? 0) == element, 100,
            columns == 0 ? "element type 0" : "element type 1 to 5", "\(element)")
        let size = elementType?.byteCount ?? 0
        try require(
            columns == 0 ? stride == 0 : stride >= columns * size && stride % size == 0, 96,
            "a stride of at least \(columns * size)", "\(stride)")
        try require(
            attributes.filter == .none || attributes.codec == .lz4 && size > 1, 44,
            "a filter on compressed elements of 2 or 4 bytes only", hex(attributes.bits))
        try require(
            drops == 0 || attributes.has(BatchAttributes.drops), 108,
            "no drops without a drops section", "\(drops)")
        try require(
            rows == 0 || (columns > 0) != attributes.has(BatchAttributes.values), 44,
            "rows with either columns or values", hex(attributes.bits))
        let least =
            attributes.has(BatchAttributes.sections) ? PayloadLayout(self).end : rows * stride
        try require(
            attributes.hasUnknownLength ? least <= decodedBytes : least == decodedBytes,
            56, "\(least) decoded bytes", "\(decodedBytes)")
    }

    @inline(__always)
    private mutating func readFields(_ bytes: RawSpan) {
        payloadChecksum = bytes.load(12)
        previousChecksum = bytes.load(16)
        epoch = bytes.load(20)
        batchBytes = Int(clamping: bytes.load(24, as: UInt64.self))
        baseOffset = bytes.load(32)
        rows = Int(bytes.load(40, as: UInt32.self))
        attributes.bits = bytes.load(44)
        storedBytes = Int(clamping: bytes.load(48, as: UInt64.self))
        decodedBytes = Int(clamping: bytes.load(56, as: UInt64.self))
        firstTimestamp = bytes.load(64)
        maxTimestamp = bytes.load(72)
        appendedAt = bytes.load(80)
        specification = bytes.load(88)
        columns = Int(bytes.load(92, as: UInt32.self))
        stride = Int(bytes.load(96, as: UInt32.self))
        elementType = ElementType(code: bytes.load(100))
        producer = bytes.load(104)
        drops = Int(bytes.load(108, as: UInt32.self))
        sequence = bytes.load(112)
        durable = bytes.load(120)
    }
}

/// `value` as 0x and hexadecimal digits.
func hex(_ value: some FixedWidthInteger & UnsignedInteger) -> String {
    "0x" + String(value, radix: 16)
}
