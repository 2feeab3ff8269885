internal import MillraceSystem

/// What the verification of a partition needs to know of its topic.
struct PartitionScope: Sendable {
    let topic: String
    let topicID: UInt64
    let partition: Int
    /// The partition's directory.
    let directory: String
    /// The directory of the topic's description.
    let topicPath: String
    /// The topic's dictionary.
    let dictionaryPath: String
    /// Nil when the topic's description is damaged.
    let configuration: TopicConfiguration?
    /// Ids up to this one have a text; nil when the dictionary does not tell.
    let dictionaryCount: Int?
}

/// The files of a topic above its partitions, read past their faults.
struct TopicScan: Sendable {
    /// The directory of the topic's name, which holds the description.
    let directory: String
    /// The directory of what is in the topic.
    private(set) var place: String
    private(set) var topicID: UInt64?
    private(set) var configuration: TopicConfiguration?
    private(set) var dictionary = DictionaryScan()
    private(set) var scopes: [PartitionScope] = []
    private(set) var report: TopicVerification

    init(name: String, data: String) throws(LogError) {
        guard Names.isValid(name) else {
            throw LogError(.invalidArgument, "topic name '\(name)' is not allowed. \(Names.rule)")
        }
        directory = "\(data)/topics/\(name)"
        report = TopicVerification(topic: name)
        guard Files.isDirectory(directory) else {
            throw LogError(.notFound, "there is no topic '\(name)'", path: directory)
        }
        place = directory
        let around = try Self.names(directory)
        readDescription()
        place = directory + "/" + folder(around)
        let names = Files.isDirectory(place) ? try Self.names(place) : []
        readDictionary()
        let partitions = names.compactMap { Int($0) }.filter { $0 >= 0 }.sorted()
        settleIdentity(partitions)
        noteLeftovers(around, in: directory)
        noteLeftovers(names, in: place)
        for partition in Set(partitions).union(0..<(configuration?.partitions ?? 0)).sorted() {
            add(partition, isThere: partitions.contains(partition))
        }
    }

    private static func names(_ directory: String) throws(LogError) -> [String] {
        try wrapping("cannot list the topic") { () throws(SystemError) in
            try Files.list(directory)
        }
    }

    /// The name of the directory of what is in the topic: there is only one, whatever the
    /// description says.
    private mutating func folder(_ names: [String]) -> String {
        let folders = names.filter { TopicMaking.id(ofFolder: $0) != nil }
        let wanted = topicID.map { TopicMaking.folder($0) }
        if let wanted, folders.contains(wanted) || folders.count != 1 { return wanted }
        guard folders.count == 1, let only = folders.first else {
            return wanted ?? TopicMaking.folder(0)
        }
        topicID = TopicMaking.id(ofFolder: only)
        if let wanted {
            report.faults.append(
                TopicVerification.Fault(
                    .metadata, directory + "/topic.json", at: 0,
                    expected: "the topic id of the directory \(only)", found: wanted))
        }
        return only
    }

    private mutating func readDescription() {
        let path = directory + "/topic.json"
        do throws(LogError) {
            let bytes = try wrapping("cannot read the description") { () throws(SystemError) in
                try Files.read(path, maxBytes: 1 << 20)
            }
            let description = try TopicDescription(json: bytes, path: path)
            topicID = description.id
            configuration = description.configuration
        } catch {
            var findings = Findings()
            findings.refused(.metadata, "a topic's description", error)
            add(findings)
        }
    }

    private mutating func readDictionary() {
        var findings = Findings()
        dictionary = DictionaryScan(path: place + "/dictionary", &findings)
        add(findings)
    }

    /// Finds the topic's id where the description does not tell it, or tells another than all the
    /// control pages, which have checksums.
    private mutating func settleIdentity(_ partitions: [Int]) {
        let ids = Set(
            partitions.compactMap {
                HeaderIdentity.topicID("\(place)/\($0)/control", headerBytes: 32)
            })
        guard ids.count == 1, let id = ids.first else { return }
        if let topicID, topicID != id {
            report.faults.append(
                TopicVerification.Fault(
                    .metadata, directory + "/topic.json", at: 0,
                    expected: "topic id \(id), as its control pages say", found: "\(topicID)"))
        }
        topicID = id
    }

    private mutating func noteLeftovers(_ names: [String], in directory: String) {
        for name in names where name.contains(".tmp-") {
            report.notes.append(
                TopicVerification.Note(
                    path: "\(directory)/\(name)", text: "a temporary file that was left behind"))
        }
    }

    private mutating func add(_ partition: Int, isThere: Bool) {
        let place = "\(place)/\(partition)"
        if let count = configuration?.partitions, partition >= count {
            if isEmpty(place) {
                report.notes.append(
                    TopicVerification.Note(
                        path: place,
                        text: "a partition without segments that the topic does not have"))
                return
            }
            report.faults.append(
                TopicVerification.Fault(
                    .metadata, directory + "/topic.json", at: 0,
                    expected: "more than \(partition) partitions, as the directories say",
                    found: "\(count)"))
        }
        guard isThere else {
            report.faults.append(
                TopicVerification.Fault(
                    .rows, place, expected: "the directory of partition \(partition)",
                    found: "none"))
            return
        }
        scopes.append(
            PartitionScope(
                topic: report.topic, topicID: topicID ?? segmentIdentity(place),
                partition: partition, directory: place, topicPath: directory,
                dictionaryPath: self.place + "/dictionary", configuration: configuration,
                dictionaryCount: dictionary.isComplete ? dictionary.texts.count : nil))
    }

    /// Whether a partition has no segments: whoever was to make it died.
    private func isEmpty(_ place: String) -> Bool {
        do throws(SystemError) {
            return try !Files.list(place).contains { $0.hasSuffix(".log") }
        } catch {
            return false
        }
    }

    /// The id in the first intact segment header of a partition; 0 when there is none.
    private func segmentIdentity(_ place: String) -> UInt64 {
        var names: [String] = []
        // The catalogue of segments says why a directory cannot be listed.
        do throws(SystemError) { names = try Files.list(place) } catch {}
        for name in names where name.hasSuffix(".log") {
            if let id = HeaderIdentity.topicID(
                place + "/" + name, headerBytes: SegmentHeader.byteCount)
            {
                return id
            }
        }
        return 0
    }

    mutating func add(_ findings: Findings) {
        report.counts.add(findings.counts)
        report.faults += findings.faults
        report.notes += findings.notes
    }
}
