internal import MillraceSystem

/// What a partition's control page says, as far as it can be believed.
///
/// The words whose layout belongs to the format are read here and nowhere else in verification.
struct ControlState: Sendable {
    /// Epoch of the newest writer.
    private(set) var epoch: UInt64?
    /// Log position up to which batches may be read.
    private(set) var published: UInt64?
    private(set) var endOffset: UInt64?
    private(set) var ceiling: UInt64?
    /// Log position of the first segment.
    private(set) var start: UInt64 = 0
    /// Whether the machine went down since the last writer: the end may be torn.
    private(set) var mayBeTorn = false

    /// Byte of the page that tells the published end.
    static let publishedByte = 64
    /// Byte of the page that tells the end offset.
    static let endOffsetByte = 128

    init(_ scope: PartitionScope, _ findings: inout Findings) {
        do throws(LogError) {
            let control = try ControlPage(
                scope.directory + "/control", topicID: scope.topicID, partition: scope.partition,
                writable: false)
            read(control)
            try control.checkOffsets()
            endOffset = control.endOffset.loadAcquiring()
            ceiling = control.offsetCeiling.loadAcquiring()
        } catch {
            findings.refused(.metadata, "the control page of the partition", error)
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

    private mutating func read(_ control: borrowing ControlPage) {
        let word = control.published.loadAcquiring()
        epoch = PublishedWord(word).epoch
        published = PublishedWord(word).position
        do throws(SystemError) {
            mayBeTorn =
                try control.bootID.loadAcquiring() != BootID.current()
                && control.clean.loadAcquiring() != word
        } catch {
            mayBeTorn = false
        }
    }
}
