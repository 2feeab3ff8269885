extension SegmentIndex {
    /// Fills every slot for the batches before `limit`, from the segment itself.
    ///
    /// Slots are rewritten in place: each carries its own checksum and is right or unknown at any
    /// instant, whoever reads or writes beside this one, whose slots would be lost in a file that
    /// another replaces. `priorMaxTimestamp` is as for a writer. Nothing happens where the file
    /// cannot be written.
    /// - Throws: `LogError` with code `corrupt` when the segment is damaged; the slots before the
    ///   damage are filled then.
    /// - Complexity: O(batches of the segment).
    static func rebuild(
        _ segment: consuming Segment, limit: UInt64, priorMaxTimestamp: Int64
    ) throws(LogError) {
        var writer = SegmentIndexWriter(
            segmentPath: segment.path, header: segment.header,
            priorMaxTimestamp: priorMaxTimestamp)
        var walk = try BatchWalk(segment, limit: limit)
        var largest = Int64.min
        var position = walk.position
        while let header = try walk.next() {
            writer.note(header, at: position, maxTimestampBefore: largest)
            largest = max(largest, header.indexedTimestamp)
            position = walk.position
        }
    }
}
