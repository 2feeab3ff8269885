internal import MillraceSystem

/// What a partition's control page says, as far as it can be believed.
///
/// Each word has a check of its own: a damaged one is a fault, nil here, and does not touch the
/// others. The words whose layout belongs to the format are read here and nowhere else in
/// verification.
struct ControlState: Sendable {
    /// Epoch of the newest writer.
    private(set) var epoch: UInt64?
    /// Log position up to which batches may be read.
    private(set) var published: UInt64?
    private(set) var endOffset: UInt64?
    private(set) var ceiling: UInt64?
    /// Log position up to which everything is on the disk.
    private(set) var durable: UInt64?
    /// Log position of the first segment that is kept.
    private(set) var start: UInt64?
    /// Offset below which retention has removed all rows.
    private(set) var startOffset: UInt64?
    private(set) var state: PartitionState?
    private(set) var allocated: PublishedWord?
    /// Whether the machine went down while the partition was written: its end may be torn.
    private(set) var mayBeTorn = false

    private static let page = "the control page of the partition"

    init(_ scope: PartitionScope, _ findings: inout Findings) {
        do throws(LogError) {
            let control = try ControlPage(
                scope.directory + "/control", topicID: scope.topicID, partition: scope.partition,
                writable: false)
            read(control, scope, &findings)
        } catch {
            findings.refused(.metadata, Self.page, error)
        }
    }

    /// Reads the words, those first that others run ahead of beside working writers.
    private mutating func read(
        _ control: borrowing ControlPage, _ scope: PartitionScope, _ findings: inout Findings
    ) {
        let word = Self.value(control, &findings) { (page) throws(LogError) in
            try page.publishedValue()
        }
        epoch = word?.epoch
        published = word?.position
        endOffset = Self.value(control, &findings) { (page) throws(LogError) in
            try page.endOffsetValue()
        }
        ceiling = Self.value(control, &findings) { (page) throws(LogError) in
            try page.ceilingValue()
        }
        durable = Self.value(control, &findings) { (page) throws(LogError) in
            try page.durablePosition()
        }
        start = Self.value(control, &findings) { (page) throws(LogError) in
            try page.startPosition()
        }
        startOffset = Self.value(control, &findings) { (page) throws(LogError) in
            try page.startOffsetValue()
        }
        state = Self.value(control, &findings) { (page) throws(LogError) in try page.stateValue() }
        allocated = Self.value(control, &findings) { (page) throws(LogError) in
            try page.allocatedValue()
        }
        let clean = Self.value(control, &findings) { (page) throws(LogError) in
            try page.cleanValue()
        }
        // Last: a writer says that it writes after it has said in which boot.
        let boot = Self.value(control, &findings) { (page) throws(LogError) in
            try page.bootValue()
        }
        guard let word, let clean, let boot, clean != word else { return }
        do throws(SystemError) {
            mayBeTorn = try BootID.current(for: scope.directory) != boot
        } catch {
            findings.note(scope.directory, "cannot tell whether the machine went down: \(error)")
        }
    }

    private static func value<Value>(
        _ control: borrowing ControlPage, _ findings: inout Findings,
        _ read: (borrowing ControlPage) throws(LogError) -> Value
    ) -> Value? {
        do throws(LogError) { return try read(control) } catch {
            findings.refused(.metadata, page, error)
            return nil
        }
    }

    /// Whether a writer has worked between two looks at the page.
    func isNewer(than other: ControlState) -> Bool {
        guard let epoch, let published, let before = other.epoch, let end = other.published else {
            return false
        }
        return epoch > before || published > end
    }

    /// Whether a segment was there when the page said this.
    func covers(_ part: SegmentPart) -> Bool {
        UInt64(part.epoch) <= epoch ?? .max && part.basePosition <= published ?? .max
    }
}

/// A word of the page that does not fit another, or the log.
struct ControlMismatch {
    let byte: Int
    let expected: String
    let found: UInt64
}

extension ControlState {
    /// Words that do not fit each other; `later` is the page at a later look.
    ///
    /// After a crash of the machine any word may be older than any other, but for the ceiling.
    func mismatches(later: ControlState) -> [ControlMismatch] {
        var found: [ControlMismatch] = []
        if let ceiling, ceiling > LogLimits.maxOffset {
            found.append(
                ControlMismatch(
                    byte: ControlPage.ceilingByte, expected: "an offset ceiling of at most 2^55",
                    found: ceiling))
        }
        if let end = endOffset, let ceiling, end > ceiling {
            found.append(
                ControlMismatch(
                    byte: ControlPage.endOffsetByte,
                    expected: "an end offset of at most the ceiling \(ceiling)", found: end))
        }
        if let startOffset, let ceiling = later.ceiling, startOffset > ceiling {
            found.append(
                ControlMismatch(
                    byte: ControlPage.startOffsetByte,
                    expected: "a start offset of at most the ceiling \(ceiling)",
                    found: startOffset))
        }
        guard !mayBeTorn, let published = later.published, let epoch = later.epoch else {
            return found
        }
        let positions = [(ControlPage.durableByte, durable), (ControlPage.startByte, start)]
        for case (let byte, let position?) in positions where position > published {
            found.append(
                ControlMismatch(
                    byte: byte,
                    expected: "a log position of at most \(published), which is "
                        + "published", found: position))
        }
        if let allocated, allocated.epoch > epoch {
            found.append(
                ControlMismatch(
                    byte: ControlPage.allocatedByte, expected: "an epoch of at most \(epoch)",
                    found: allocated.epoch))
        }
        return found
    }

    /// What there is to know of the partition's state; nil when it is open.
    var stateNote: String? {
        switch state {
        case .poisoned:
            "a sync failed: nothing is accepted, and what lies at or above log position "
                + "\(durable ?? 0) may not be on the disk"
        case .deleted: "the topic was being deleted"
        case .open, nil: nil
        }
    }
}
