internal import MillraceSystem

/// What a writer that takes over must know of the end of its partition.
struct PartitionTail: Sendable, Equatable {
    /// Log position after the last batch.
    var position: UInt64
    /// Offset after the last row.
    var offset: UInt64
    /// Header checksum of the last batch; 0 when there is none.
    var checksum: UInt32
    /// Bytes that were dropped because the machine went down before they were synced.
    var tornBytes = 0
}

/// Finding the end of a partition.
enum PartitionRecovery {
    /// The tail that the control page tells: published bytes outlive their process.
    ///
    /// The offset is never below `endOffset`, which is above the last row when a crash of the
    /// machine made offsets unusable and nothing has been appended since.
    static func tail(
        of files: PartitionFiles, published: UInt64, endOffset: UInt64
    ) throws(LogError) -> PartitionTail {
        var tail = try publishedTail(of: files, published: published)
        tail.offset = max(tail.offset, endOffset)
        return tail
    }

    private static func publishedTail(
        of files: PartitionFiles, published: UInt64
    ) throws(LogError) -> PartitionTail {
        let list = try files.segments()
        guard let last = list.index(ofPosition: published) else {
            guard published == 0 else {
                throw LogError(
                    .corrupt,
                    "\(published) bytes are published but no segment holds them; nothing was "
                        + "repaired",
                    path: files.directory)
            }
            return PartitionTail(position: 0, offset: 0, checksum: 0)
        }
        // The newest segment may be empty: its writer died before it published.
        for index in stride(from: last, through: 0, by: -1) {
            var walk = try BatchWalk(
                files.open(list.entries[index]),
                limit: list.limit(of: index, published: published))
            var tail: PartitionTail?
            while let header = try walk.next() {
                tail = PartitionTail(
                    position: walk.position, offset: header.baseOffset + UInt64(header.rows),
                    checksum: header.checksum)
            }
            if var tail {
                // A segment without batches that begins later than the rows before it marks the
                // offsets that a crash of the machine made unusable.
                tail.offset = max(tail.offset, list.entries[last].header.baseOffset)
                return tail
            }
        }
        return PartitionTail(
            position: published, offset: list.entries[last].header.baseOffset, checksum: 0)
    }

    /// The tail after the machine went down.
    ///
    /// The control page may be older than the segments, and what was not synced may be missing. The batches of the newest segment that still form an
    /// unbroken chain of checksums are kept; the torn rest is counted and left behind. A fault in
    /// an older segment is corruption.
    static func tailAfterMachineCrash(
        of files: PartitionFiles, ceiling: UInt64
    ) throws(LogError) -> PartitionTail {
        let list = try files.segments()
        var tail = PartitionTail(position: 0, offset: 0, checksum: 0)
        for index in list.entries.indices {
            let entry = list.entries[index]
            let isNewest = index == list.entries.count - 1
            let segment = try files.open(entry)
            let size = try segment.size()
            let fileEnd = entry.header.basePosition + UInt64(size - SegmentHeader.byteCount)
            // An older segment reaches to the next: a shorter file is corrupt.
            let limit = list.limit(of: index, published: isNewest ? fileEnd : .max)
            var walk = try BatchWalk(segment, limit: limit)
            tail.position = entry.header.basePosition
            do throws(LogError) {
                while let header = try walk.next() {
                    guard header.previousChecksum == tail.checksum || tail.checksum == 0,
                        walk.payloadMatches(header)
                    else {
                        throw LogError.corrupt(
                            entry.path,
                            at: walk.segment.fileOffset(tail.position),
                            expected: "a batch that matches its checksums", found: "another")
                    }
                    tail.position = walk.position
                    tail.offset = header.baseOffset + UInt64(header.rows)
                    tail.checksum = header.checksum
                }
            } catch {
                guard isNewest, error.code == .corrupt else { throw error }
                tail.tornBytes = Int(limit - tail.position)
            }
        }
        // Somebody may remember offsets that were lost: they are never used for other rows.
        tail.offset = max(tail.offset, ceiling)
        return tail
    }
}
