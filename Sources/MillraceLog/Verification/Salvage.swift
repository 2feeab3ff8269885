internal import MillraceSystem

/// What a salvage has copied, and what it could not.
public struct SalvageReport: Sendable, Equatable {
    /// What the copy holds.
    public internal(set) var kept = TopicVerification.Counts()
    /// What is wrong with the original; the faults with lost bytes or offsets list what is not in
    /// the copy.
    public internal(set) var original: TopicVerification
    /// Dictionary ids whose texts are lost; placeholders stand in the copy.
    public internal(set) var lostDictionaryIDs: [UInt32] = []

    /// The faults by which rows were lost.
    public var losses: [TopicVerification.Fault] {
        original.faults.filter { $0.effect == .rows }
    }
}

extension DataDirectory {
    /// Copies what is intact of a damaged topic into another data directory.
    ///
    /// The copy has the topic's name, id and configuration, and the intact batches with their
    /// payloads, offsets, sequences and origins as they are; chain checksums and epochs are new.
    /// Where batches are missing, a segment of a new epoch begins. Offsets that somebody may
    /// remember from lost rows are not used again. The original is not changed. No writer may
    /// work on the original meanwhile: the copy would lack what it appends.
    ///
    /// A topic whose description is lost, or does not fit its rows, needs its `configuration` from
    /// the caller. A partition whose directory is missing begins again at offset 0.
    /// **Durability**: everything is on the disk when this returns; the description comes last, so
    /// that a salvage that was interrupted has made no topic.
    /// - Throws: `LogError` with code `notFound`; `alreadyExists` when the other directory has
    ///   files of a topic of that name; `corrupt` when the
    ///   description is lost or does not fit and none is given; `system` when the copy cannot be
    ///   written.
    /// - Complexity: O(bytes of the topic).
    public func salvageTopic(
        _ name: String, into target: DataDirectory, as configuration: TopicConfiguration? = nil
    ) throws(LogError) -> SalvageReport {
        var scan = try TopicScan(name: name, data: path)
        guard let configuration = configuration ?? scan.configuration else {
            throw LogError(
                .corrupt,
                "the topic's description is lost: say what the topic's configuration was",
                path: scan.directory + "/topic.json", position: 0)
        }
        try configuration.validate()
        try scan.check(partitions: configuration.partitions)
        let place = "\(target.topicsPath)/\(name)"
        let isTaken = LogError(
            .alreadyExists,
            "the data directory has files of a topic '\(name)': remove them, or give another "
                + "directory",
            path: place)
        guard !Files.exists(place) else { throw isTaken }
        let making = try TopicMaking(
            scan.topicID ?? UInt64.random(in: 1...UInt64.max), in: target.topicsPath)
        let salvage = TopicSalvage(
            directory: making.directory, description: making.description, topicID: making.id,
            configuration: configuration)
        let report: SalvageReport
        do throws(LogError) { report = try salvage.run(&scan) } catch {
            // Nobody may take what is there so far for a topic.
            making.abandon()
            throw error
        }
        guard try making.publish(as: name) else { throw isTaken }
        return report
    }
}

extension TopicScan {
    /// Throws when there are more partitions than the description says: rows would be left out.
    fileprivate func check(partitions count: Int) throws(LogError) {
        guard let last = scopes.last, last.partition >= count else { return }
        throw LogError(
            .corrupt,
            "there is a partition \(last.partition), but the configuration has \(count): say what "
                + "the topic's configuration was",
            path: directory + "/topic.json", position: 0)
    }
}

/// One salvage.
private struct TopicSalvage {
    let directory: String
    /// Path of the topic's description.
    let description: String
    let topicID: UInt64
    let configuration: TopicConfiguration
    /// How many texts behind the last intact one may get a placeholder.
    private static let maxPlaceholders = 1 << 16

    func run(_ scan: inout TopicScan) throws(LogError) -> SalvageReport {
        var report = SalvageReport(original: scan.report)
        let directory = directory
        try wrapping("cannot create the topic") { () throws(SystemError) in
            try Files.createDirectory(directory)
        }
        var largestID = 0
        for partition in 0..<configuration.partitions {
            let scope = scan.scopes.first { $0.partition == partition }
            let writer = try SalvageWriter(
                directory: "\(directory)/\(partition)", topicID: topicID, partition: partition)
            let copied = try copy(scope, writer, &scan)
            report.kept.add(copied.counts)
            largestID = max(largestID, copied.largestID)
        }
        let known = scan.dictionary.texts
        // A batch may name any id; an absurd one stays without a text, and verification says so.
        largestID = min(largestID, known.count + Self.maxPlaceholders)
        report.lostDictionaryIDs = (0..<max(largestID, known.count)).filter {
            $0 >= known.count || known[$0] == nil
        }.map { UInt32($0 + 1) }
        report.original = scan.report
        let dictionary = scan.dictionary.encoded(count: largestID)
        let json = try TopicDescription(id: topicID, configuration: configuration).json()
        try wrapping("cannot create the topic") { () throws(SystemError) in
            try Files.writeDurably(directory + "/dictionary", dictionary)
            try Files.writeDurably(description, json)
        }
        return report
    }

    /// Copies the intact batches of a partition; an empty one where there is no original.
    private func copy(
        _ scope: PartitionScope?, _ writer: consuming SalvageWriter, _ scan: inout TopicScan
    ) throws(LogError) -> (counts: TopicVerification.Counts, largestID: Int) {
        guard let scope else {
            return (try writer.finish(nextOffset: 0, ceiling: 0), 0)
        }
        var verifier = PartitionVerifier(scope)
        writer.begin(
            after: verifier.newestEpoch, startOffset: verifier.control.startOffset)
        var largestID: UInt32 = 0
        try verifier.run { (part, header, batch) throws(LogError) in
            guard header.rows == 0 || configuration.allows(columns: header.columns) else {
                throw LogError(
                    .corrupt,
                    "there are rows of \(header.columns) columns, which the configuration does "
                        + "not allow: say what the topic's configuration was",
                    path: part.path)
            }
            largestID = ProgressCheck.dictionaryIDs(header).reduce(largestID, max)
            try writer.append(header, batch, of: part)
        }
        scan.add(verifier.findings)
        let resume = verifier.resumeOffset
        let counts = try writer.finish(
            nextOffset: resume, ceiling: max(resume, verifier.control.ceiling ?? 0))
        return (counts, Int(largestID))
    }
}

extension PartitionVerifier {
    /// The lowest offset that nobody can remember from rows of this partition.
    ///
    /// The end offset, unless it or rows at the end are lost: then the ceiling, above which no
    /// offset was ever used, or as far above the last row as a ceiling may have been.
    var resumeOffset: UInt64 {
        if let end = control.endOffset, !isEndLost, !control.mayBeTorn {
            return max(end, nextOffset)
        }
        let reserve = nextOffset + 2 * PartitionWriter.offsetReserve
        return min(max(control.ceiling ?? reserve, nextOffset), BatchHeader.maxOffset)
    }
}
