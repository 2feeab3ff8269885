/// Where a partition's files are, and whose they are.
struct PartitionFiles: Sendable {
    let directory: String
    let topic: String
    let topicID: UInt64
    let partition: Int

    var control: String { directory + "/control" }
    var writerLock: String { directory + "/writer.lock" }

    func openControl(writable: Bool) throws(LogError) -> ControlPage {
        try ControlPage(control, topicID: topicID, partition: partition, writable: writable)
    }

    func segments() throws(LogError) -> SegmentList {
        try SegmentList(directory: directory, topicID: topicID, partition: partition)
    }

    func open(_ entry: SegmentEntry) throws(LogError) -> Segment {
        try Segment(path: entry.path, topicID: topicID, partition: partition)
    }
}
