internal import MillraceSystem

/// A segment file as verification sees it.
struct SegmentPart: Sendable {
    let path: String
    let epoch: UInt32
    let basePosition: UInt64
    /// Nil when it is damaged: the name tells position and epoch then.
    let header: SegmentHeader?
    /// Whether not even the header of a first batch was ever written.
    let isBlank: Bool
    /// What is wrong with header and name; counts only when the segment is part of the log.
    let faults: [TopicVerification.Fault]
}

/// The segments of a partition, found past damaged headers.
struct SegmentCatalog: Sendable {
    /// Those that hold the log, in its order.
    private(set) var parts: [SegmentPart] = []

    init(_ scope: PartitionScope, _ findings: inout Findings) {
        var names: [String] = []
        do throws(SystemError) { names = try Files.list(scope.directory) } catch {
            findings.faults.append(
                TopicVerification.Fault(
                    .rows, scope.directory, expected: "a directory of segments",
                    found: error.reason))
        }
        for name in names {
            let path = scope.directory + "/" + name
            if name.contains(".tmp-") {
                findings.note(path, "a temporary file that was left behind")
            }
            guard name.hasSuffix(".log") else { continue }
            if let part = Self.part(path, name, scope, &findings) { parts.append(part) }
        }
        dropSuperseded(&findings)
        dropNeverBegun(&findings)
        noteIndexes(names, scope, &findings)
    }

    private func noteIndexes(
        _ names: [String], _ scope: PartitionScope, _ findings: inout Findings
    ) {
        let logs = Set(names)
        for name in names where name.hasSuffix(".index") {
            guard !logs.contains(name.dropLast(6) + ".log") else { continue }
            findings.note(scope.directory + "/" + name, "an index without a segment")
        }
    }

    private static func part(
        _ path: String, _ name: String, _ scope: PartitionScope, _ findings: inout Findings
    ) -> SegmentPart? {
        guard let bytes = head(of: path) else { return nil }
        var own = Findings()
        var header: SegmentHeader?
        let isBlank =
            bytes.map { $0.count < SegmentHeader.byteCount || $0.allSatisfy { $0 == 0 } } ?? false
        if let bytes, !isBlank {
            let raw = unsafe bytes.span.bytes  // SAFETY: an array of bytes is initialised.
            do throws(LogError) {
                header = try SegmentHeader(
                    raw, path: path, topicID: scope.topicID, partition: scope.partition)
            } catch {
                own.refused(.metadata, "the header of a segment of the partition", error)
                // An intact header that names another topic or partition: so are the rows.
                if error.position == 16 {
                    findings.faults += own.faults
                    return nil
                }
            }
        }
        let named = place(name)
        guard let basePosition = header?.basePosition ?? named?.basePosition,
            let epoch = header?.epoch ?? named?.epoch
        else {
            findings.faults += own.faults
            findings.faults.append(
                TopicVerification.Fault(
                    .rows, path, expected: "a segment's header or name", found: "neither"))
            return nil
        }
        let right = Segment.name(basePosition: basePosition, epoch: epoch)
        if name != right {
            own.faults.append(
                TopicVerification.Fault(
                    .metadata, path, expected: "the name \(right), as the header says",
                    found: name))
        }
        return SegmentPart(
            path: path, epoch: epoch, basePosition: basePosition, header: header, isBlank: isBlank,
            faults: own.faults)
    }

    /// The first bytes of a file; nothing when they cannot be read, nil when the file is gone:
    /// retention may have removed it since it was listed.
    private static func head(of path: String) -> [UInt8]?? {
        var bytes = [UInt8](repeating: 0, count: 2 * SegmentHeader.byteCount)
        do throws(SystemError) {
            let count = try FileHandle(path, .read).read(into: &bytes, at: 0)
            return .some(Array(bytes[..<count]))
        } catch {
            return error.isNotFound ? nil : .some(nil)
        }
    }

    /// What a segment's name tells: base position in decimal, epoch in hexadecimal.
    private static func place(_ name: String) -> (basePosition: UInt64, epoch: UInt32)? {
        let fields = name.dropLast(4).split(separator: "-", omittingEmptySubsequences: false)
        guard fields.count == 2, let position = UInt64(fields[0]),
            let epoch = UInt32(fields[1], radix: 16), epoch <= PublishedWord.maxEpoch,
            position <= PublishedWord.maxPosition, position % 64 == 0,
            Segment.name(basePosition: position, epoch: epoch) == name
        else { return nil }
        return (position, epoch)
    }

    /// A segment of a newer epoch supersedes all older ones at or above its base position.
    private mutating func dropSuperseded(_ findings: inout Findings) {
        parts.sort { ($0.epoch, $0.basePosition) < ($1.epoch, $1.basePosition) }
        var kept: [SegmentPart] = []
        for part in parts {
            while let last = kept.last, last.basePosition >= part.basePosition {
                findings.note(last.path, "superseded by \(part.path)")
                kept.removeLast()
            }
            kept.append(part)
        }
        parts = kept
    }

    /// A blank segment where the one before goes on: a writer could not write its header, and a
    /// smaller batch had room in the older one.
    private mutating func dropNeverBegun(_ findings: inout Findings) {
        var kept: [SegmentPart] = []
        for part in parts {
            if part.isBlank, let last = kept.last, last.hasBatch(at: part.basePosition) {
                findings.note(part.path, "a segment that was never begun")
            } else {
                kept.append(part)
            }
        }
        parts = kept
    }
}

extension SegmentPart {
    /// Whether a batch of the segment begins at log position `position`.
    fileprivate func hasBatch(at position: UInt64) -> Bool {
        batchHeader(at: position)?.epoch == epoch
    }

    /// The header checksum that the first batch carries, that of the batch before; nil when there
    /// is no such batch.
    func firstLink() -> UInt32? {
        let checksum = batchHeader(at: basePosition)?.previousChecksum
        return checksum == 0 ? nil : checksum
    }

    /// The intact header of a batch that begins at log position `position`.
    private func batchHeader(at position: UInt64) -> BatchHeader? {
        let place = SegmentHeader.byteCount + Int(position - basePosition)
        let map: MappedFile
        // What cannot be read is for the walk over the batches to report.
        do throws(SystemError) {
            let file = try FileHandle(path, .read)
            map = try file.map(bytes: try file.size(), writable: false)
        } catch { return nil }
        guard place < map.byteCount else { return nil }
        do throws(BatchHeaderFault) {
            return try BatchHeader(map.bytes.extracting(place...))
        } catch {
            return nil
        }
    }
}
