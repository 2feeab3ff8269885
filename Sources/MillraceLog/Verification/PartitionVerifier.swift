internal import MillraceSystem

/// Reads a partition from its first byte to its published end, past every fault.
///
/// What is intact is handed on in the order of the log, so that verification and salvage agree on
/// what that is. **Thread-safety**: one owner.
struct PartitionVerifier: ~Copyable {
    let scope: PartitionScope
    let control: ControlState
    let parts: [SegmentPart]
    /// Log position of the first segment that is kept; nil when that is not known.
    private let start: UInt64?
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
    var openLosses: [Int] = []
    /// Epoch of the segment before.
    var lastEpoch: UInt32?
    /// Offset of the newest intact batch.
    var lastBase: UInt64 = 0
    var maxTimestamp = Int64.min
    /// Whether rows may have been behind the last intact one.
    private(set) var isEndLost = false
    /// The largest durable position that an intact batch carries.
    var attested: UInt64 = 0
    /// Log position behind the last place that was looked at.
    var reached: UInt64
    /// Whether the torn end has been reached: what follows is no part of the log.
    var isTorn = false
    /// What the batches of a log that may be torn attest, once it was asked for.
    var attestation: Attestation?

    init(_ scope: PartitionScope) {
        var findings = Findings()
        let control = ControlState(scope, &findings)
        let catalog = SegmentCatalog(scope, &findings).parts
        // What a writer has made since the page was read is not looked at, nor is what retention
        // has removed.
        var ignored = Findings()
        let later = ControlState(scope, &ignored)
        let isGrowing = later.isNewer(than: control)
        let start = [control.start, later.start].compactMap(\.self).max()
        var parts: [SegmentPart] = []
        for part in catalog where !isGrowing || control.covers(part) {
            if part.basePosition < start ?? 0 {
                findings.note(part.path, "left behind by retention, which had removed its rows")
            } else {
                parts.append(part)
            }
        }
        for mismatch in control.mismatches(later: later) {
            findings.faults.append(
                TopicVerification.Fault(
                    .metadata, scope.directory + "/control", at: mismatch.byte,
                    expected: mismatch.expected, found: "\(mismatch.found)"))
        }
        if let note = control.stateNote { findings.note(scope.directory, note) }
        self.parts = parts
        self.control = control
        self.start = start
        reached = start ?? 0
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
            if isTorn {
                findings.note(parts[index].path, "behind the torn end; the next writer drops it")
                continue
            }
            let next = index + 1 < parts.count ? parts[index + 1] : nil
            try scan(parts[index], next: next, visit)
        }
        checkDurable()
        checkEnd()
        for index in findings.faults.indices {
            findings.faults[index].partition = scope.partition
        }
    }

    private mutating func checkStart() {
        guard let start else { return }
        let first = parts.first
        if let first, first.basePosition == start {
            if start == 0 { previousChecksum = 0 }
            return
        }
        guard (first?.basePosition ?? control.published ?? 0) > start else { return }
        if mayTear(at: start) {
            isTorn = true
            return findings.note(
                scope.directory,
                "the first segment was not on the disk when the machine went down; the next who "
                    + "opens the partition drops what follows")
        }
        lose(
            scope.directory, at: nil, expected: "a segment at log position \(start)",
            found: first.map { "the first at \($0.basePosition)" } ?? "none")
    }

    /// Where nobody else knows the end, the log reaches as far as it was durable.
    private mutating func checkDurable() {
        guard control.mayBeTorn, !isTorn, let durable = control.durable, reached < durable else {
            return
        }
        lose(
            parts.last?.path ?? scope.directory, at: nil,
            expected: "batches up to log position \(durable), which was durable",
            found: "batches up to \(reached)")
    }

    private mutating func checkEnd() {
        isEndLost = !openLosses.isEmpty || control.endOffset == nil
        closeLosses(below: control.endOffset ?? nextOffset)
        for mismatch in endMismatches {
            findings.faults.append(
                TopicVerification.Fault(
                    .metadata, scope.directory + "/control", at: mismatch.byte,
                    expected: mismatch.expected, found: "\(mismatch.found)"))
        }
        findings.faults += meaning.summary
    }

    /// Words of the control page that say less than the log.
    ///
    /// After a crash of the machine they may be old, but for the ceiling.
    private var endMismatches: [ControlMismatch] {
        let least: [(byte: Int, what: String, UInt64?, UInt64?)] = [
            (ControlPage.ceilingByte, "an offset ceiling", control.ceiling, nextOffset),
            (ControlPage.endOffsetByte, "an end offset", control.endOffset, lastBase),
            (ControlPage.publishedByte, "an epoch", control.epoch, newestEpoch),
            (
                ControlPage.publishedByte, "a published end", control.published,
                parts.last?.basePosition
            ),
            (ControlPage.durableByte, "a durable position", control.durable, attested),
        ]
        return least.prefix(control.mayBeTorn ? 1 : least.count).compactMap { word in
            guard let found = word.2, let wanted = word.3, found < wanted else { return nil }
            return ControlMismatch(
                byte: word.byte, expected: "\(word.what) of at least \(wanted)", found: found)
        }
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
