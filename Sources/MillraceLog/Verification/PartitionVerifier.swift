internal import MillraceSystem

/// Reads a partition from its first byte to its published end, past every fault.
///
/// What is intact is handed on in the order of the log, so that verification and salvage agree on
/// what that is. **Thread-safety**: one owner.
struct PartitionVerifier: ~Copyable {
    let scope: PartitionScope
    let control: ControlState
    let parts: [SegmentPart]
    var findings: Findings
    var check: BatchCheck
    var meaning: MeaningCheck
    /// The offset that the next batch must have; a lower bound of it while `isAfterGap`.
    var nextOffset: UInt64 = 0
    /// Whether the next batch may begin at a higher offset.
    var isAfterGap = true
    /// The checksum that the next batch must carry; nil when that is not known.
    var previousChecksum: UInt32?
    /// Faults since the last intact batch: their rows lie below the next one.
    private var openLosses: [Int] = []
    /// Epoch of the segment before.
    private var lastEpoch: UInt32?
    /// Offset of the newest intact batch.
    var lastBase: UInt64 = 0
    private var maxTimestamp = Int64.min
    /// Whether rows may have been behind the last intact one.
    private(set) var isEndLost = false

    init(_ scope: PartitionScope) {
        var findings = Findings()
        let control = ControlState(scope, &findings)
        let parts = SegmentCatalog(scope, &findings).parts
        // What a writer has made since the page was read is not looked at.
        var again = Findings()
        let isGrowing = ControlState(scope, &again).isNewer(than: control)
        self.parts = parts.filter { !isGrowing || control.covers($0) }
        self.control = control
        meaning = MeaningCheck(scope)
        self.scope = scope
        check = BatchCheck(scope.configuration?.elementDecoding ?? ElementDecoding())
        self.findings = findings
    }

    /// The newest epoch that anything in the partition tells of.
    var newestEpoch: UInt64 {
        max(control.epoch ?? 0, parts.map { UInt64($0.epoch) }.max() ?? 0)
    }

    /// Reads everything and calls `visit` with each intact batch: its segment, its header and its
    /// bytes from header to padding.
    mutating func run(
        _ visit: (SegmentPart, BatchHeader, RawSpan) throws(LogError) -> Void
    ) throws(LogError) {
        checkStart()
        for index in parts.indices {
            let next = index + 1 < parts.count ? parts[index + 1] : nil
            try scan(parts[index], next: next, visit)
        }
        checkEnd()
        for index in findings.faults.indices {
            findings.faults[index].partition = scope.partition
        }
    }

    private mutating func checkStart() {
        let first = parts.first
        if let first, first.basePosition == control.start {
            if first.basePosition == 0 { previousChecksum = 0 }
            return
        }
        guard (first?.basePosition ?? control.published ?? 0) > control.start else { return }
        lose(
            scope.directory, at: nil, expected: "a segment at log position \(control.start)",
            found: first.map { "the first at \($0.basePosition)" } ?? "none")
    }

    private mutating func checkEnd() {
        isEndLost = !openLosses.isEmpty || control.endOffset == nil
        closeLosses(below: control.endOffset ?? nextOffset)
        let path = scope.directory + "/control"
        if let end = control.endOffset, end < lastBase {
            findings.faults.append(
                TopicVerification.Fault(
                    .metadata, path, at: ControlPage.endOffsetByte,
                    expected: "an end offset of at least \(lastBase)", found: "\(end)"))
        }
        if let epoch = control.epoch, epoch < newestEpoch {
            findings.faults.append(
                TopicVerification.Fault(
                    .metadata, path, at: ControlPage.publishedByte,
                    expected: "an epoch of at least \(newestEpoch)", found: "\(epoch)"))
        }
        if let base = parts.last?.basePosition, let published = control.published,
            published < base
        {
            findings.faults.append(
                TopicVerification.Fault(
                    .metadata, path, at: ControlPage.publishedByte,
                    expected: "a published end of at least \(base)", found: "\(published)"))
        }
        findings.faults += meaning.summary
    }

    /// Records bytes that hold no intact batch; the rows in them are told by the batch behind.
    mutating func lose(
        _ path: String, at position: Int?, bytes: Range<Int>? = nil, expected: String,
        found: String
    ) {
        openLosses.append(findings.faults.count)
        findings.faults.append(
            TopicVerification.Fault(
                .rows, path, at: position, expected: expected, found: found, lostBytes: bytes))
        previousChecksum = nil
        isAfterGap = true
        meaning.forgetProgress()
    }

    mutating func closeLosses(below offset: UInt64) {
        for index in openLosses where offset > nextOffset {
            findings.faults[index].lostOffsets = nextOffset..<offset
        }
        openLosses = []
    }
}

extension PartitionVerifier {
    /// The end of a segment's batches, as its neighbours and the control page tell.
    private func limit(of part: SegmentPart, next: SegmentPart?) -> UInt64? {
        if let next { return min(next.basePosition, control.published ?? .max) }
        // After a crash of the machine the page may be older or newer than the segment.
        return control.mayBeTorn ? nil : control.published
    }

    private mutating func scan(
        _ part: SegmentPart, next: SegmentPart?,
        _ visit: (SegmentPart, BatchHeader, RawSpan) throws(LogError) -> Void
    ) throws(LogError) {
        let limit = limit(of: part, next: next)
        guard !part.isBlank else { return pass(blank: part, limit: limit) }
        let map: MappedFile
        do throws(SystemError) {
            let file = try FileHandle(part.path, .read)
            map = try file.map(bytes: try file.size(), writable: false)
        } catch {
            lose(part.path, at: 0, expected: "a segment that can be read", found: error.reason)
            return
        }
        findings.counts.segments += 1
        enter(part)
        var cursor = SegmentCursor(
            part: part, size: map.byteCount, limit: limit, next: next,
            mayBeTorn: next == nil && control.mayBeTorn)
        while try step(&cursor, map.bytes, visit) {}
        finish(cursor)
    }

    /// A segment without a header holds nothing, unless the log says that it must.
    private mutating func pass(blank part: SegmentPart, limit: UInt64?) {
        guard let limit, limit > part.basePosition else {
            return findings.note(part.path, "left by a writer that died before its first batch")
        }
        let lost = 0..<SegmentHeader.byteCount + Int(limit - part.basePosition)
        lose(
            part.path, at: 0, bytes: lost, expected: "a segment of \(lost.upperBound) bytes",
            found: "no segment header")
    }

    /// Takes the offset at which a segment says that it begins.
    private mutating func enter(_ part: SegmentPart) {
        defer { lastEpoch = part.epoch }
        guard let base = part.header?.baseOffset else {
            isAfterGap = true
            return
        }
        if base < nextOffset {
            findings.faults.append(
                TopicVerification.Fault(
                    .metadata, part.path, at: 32,
                    expected: "a base offset of at least \(nextOffset)", found: "\(base)"))
            return
        }
        // A new epoch may leave out offsets that a crash of the machine made unusable.
        if base > nextOffset, !isAfterGap, part.epoch == lastEpoch {
            findings.faults.append(
                TopicVerification.Fault(
                    .rows, part.path, at: 32, expected: "base offset \(nextOffset)",
                    found: "\(base)", lostOffsets: nextOffset..<base))
        }
        closeLosses(below: base)
        nextOffset = base
        isAfterGap = false
    }

    /// Reads one batch, or goes past damage; false at the end.
    private mutating func step(
        _ cursor: inout SegmentCursor, _ bytes: RawSpan,
        _ visit: (SegmentPart, BatchHeader, RawSpan) throws(LogError) -> Void
    ) throws(LogError) -> Bool {
        guard cursor.at < cursor.end, !cursor.isAtZeros(bytes) else { return false }
        switch SegmentCursor.header(cursor.at, bytes) {
        case .success(let header):
            return try take(header, &cursor, bytes, visit)
        case .failure(let fault):
            guard !cursor.mayBeTorn else { return tear(&cursor) }
            let search = BatchSearch(
                epoch: cursor.part.epoch, lowest: nextOffset,
                highest: cursor.next?.header?.baseOffset)
            let next = search.next(after: cursor.at, end: cursor.end, in: bytes)
            lose(
                cursor.part.path, at: cursor.at + fault.byte, bytes: cursor.at..<next,
                expected: fault.expected, found: fault.found)
            cursor.at = next
            return true
        }
    }

    /// The machine went down before the rest was on the disk: it was never promised.
    mutating func tear(_ cursor: inout SegmentCursor) -> Bool {
        findings.note(
            cursor.part.path,
            "torn from byte \(cursor.at) on, when the machine went down; the next writer drops "
                + "\(cursor.end - cursor.at) bytes")
        cursor.at = cursor.end
        return false
    }

    /// Checks that the file reaches as far as the log says.
    private mutating func finish(_ cursor: SegmentCursor) {
        maxTimestamp = cursor.index.finish(cursor.part, prior: maxTimestamp, &findings)
        guard let wanted = cursor.wanted, wanted > cursor.size else { return }
        if let last = openLosses.last, findings.faults[last].path == cursor.part.path,
            let lost = findings.faults[last].lostBytes, lost.upperBound == cursor.size
        {
            findings.faults[last].lostBytes = lost.lowerBound..<wanted
            return
        }
        let reason =
            cursor.next.map { ": the next segment is \($0.path), one may be missing" } ?? ""
        lose(
            cursor.part.path, at: cursor.size, bytes: cursor.size..<wanted,
            expected: "\(wanted) bytes" + reason, found: "\(cursor.size)")
    }
}
