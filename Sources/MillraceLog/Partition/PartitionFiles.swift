/// Where a partition's files are, and whose they are.
struct PartitionFiles: Sendable {
    let directory: String
    let topic: String
    let topicID: UInt64
    let partition: Int

    var control: String { directory + "/control" }
    /// Its bytes are the writers' slots (`OwnerSlot`).
    var writers: String { directory + "/writers" }

    /// The readers that retention waits for (`ReaderHold`).
    var holds: String { directory + "/readers" }

    func openControl(writable: Bool) throws(LogError) -> ControlPage {
        try ControlPage(control, topicID: topicID, partition: partition, writable: writable)
    }

    /// The segments that are part of the log whose start is `start`.
    func segments(from start: UInt64) throws(LogError) -> SegmentList {
        try SegmentList(self, start: start)
    }

    /// The segments of the log, from the start that `control` tells.
    ///
    /// - Throws: `corrupt` when the first of them is missing.
    func segments(_ control: borrowing ControlPage) throws(LogError) -> SegmentList {
        while true {
            let start = try control.startPosition()
            let list = try segments(from: start)
            // Retention may have removed segments while they were listed, the first of which may be
            // in the list and those behind it not.
            guard try control.startPosition() == start else { continue }
            guard let first = list.entries.first, first.header.basePosition > start else {
                return list
            }
            throw missingSegment(start)
        }
    }

    func open(_ entry: SegmentEntry) throws(LogError) -> Segment {
        try Segment(path: entry.path, topicID: topicID, partition: partition)
    }

    /// The error of a partition whose topic was deleted under its user.
    func deleted() -> LogError {
        LogError(
            .notFound, "topic '\(topic)' has been deleted; stop, or open it anew",
            path: directory)
    }

    /// The error of a partition that may have lost data in a failed sync.
    func poisoned() -> LogError {
        LogError(
            .poisoned,
            "a sync of topic '\(topic)', partition \(partition) failed: what was appended since "
                + "the last good one may not be on the disk. Nothing more is accepted. Check the "
                + "disk, then copy what is intact with 'topic verify \(topic) --salvage DIR', or "
                + "restart the machine to go on from what the disk holds",
            path: directory)
    }
}
