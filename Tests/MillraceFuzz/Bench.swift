import Glibc
import MillraceLog
import MillraceSystem

/// Where inputs are tried: intact topics on a file system in memory.
struct Bench: Sendable {
    static let shared = Bench()

    let templates: [Template]
    private let directory: String

    private init() {
        let place = Files.isDirectory("/dev/shm") ? "/dev/shm" : "/tmp"
        Self.removeOldOnes(place)
        let directory = "\(place)/millrace-fuzz-\(getpid())"
        do {
            templates = try [
                Template(directory + "/0", kind: .bytes, codec: .none),
                Template(directory + "/1", kind: .bytes, codec: .lz4),
                Template(directory + "/2", kind: .features, codec: .none),
                Template(
                    directory + "/3", kind: .features, codec: .lz4, elementType: .float16),
            ]
        } catch {
            fatalError("cannot make the topics: \(error)")
        }
        self.directory = directory
    }

    /// libFuzzer leaves without a word: what it left is removed by the next run.
    private static func removeOldOnes(_ place: String) {
        guard let names = try? Files.list(place) else { return }
        for name in names where name.hasPrefix("millrace-fuzz-") {
            guard let process = Int32(name.dropFirst("millrace-fuzz-".count)),
                kill(process, 0) != 0
            else { continue }
            try? Files.removeTree(place + "/" + name)
        }
    }

    /// Removes the topics.
    func remove() { try? Files.removeTree(directory) }

    /// Keeps an input where it can be found should it end the process.
    func note(_ input: [UInt8]) {
        do { try replace(directory + "/input", with: input) } catch {
            fatalError("cannot keep the input: \(error)")
        }
    }

    /// Runs an input; false when it is none for this run.
    ///
    /// `MILLRACE_FUZZ` names the target that a run is about; unset, it is about all.
    func run(_ bytes: [UInt8], outcome: (String) -> Void = { _ in }) -> Bool {
        guard let input = Input(bytes), Self.wanted.map({ $0 == input.target }) ?? true else {
            return false
        }
        let template = templates[input.template]
        do {
            try restore(template)
            if input.restarts { try Self.pretendMachineRestarted(template) }
            guard try apply(input, to: template) else { return false }
        } catch {
            fatalError("cannot prepare the topic: \(error)")
        }
        outcome("\(input.target): \(Exercise(template, input).run())")
        return true
    }

    private static let wanted: Target? = {
        guard let name = unsafe getenv("MILLRACE_FUZZ") else { return nil }
        let text = unsafe String(cString: name)
        guard let target = Target.allCases.first(where: { "\($0)" == text }) else {
            fatalError("MILLRACE_FUZZ is one of \(Target.allCases), not '\(text)'")
        }
        return target
    }()

    /// Puts every file of a topic back as it was, and removes what was added.
    private func restore(_ template: Template) throws {
        for folder in ["", template.folder + "/", template.folder + "/0/"] {
            for name in try Files.list(template.directory + "/" + folder) {
                let path = folder + name
                let isFolder = Files.isDirectory(template.directory + "/" + path)
                if template.files[path] == nil, !isFolder {
                    try Files.remove(template.directory + "/" + path)
                }
            }
        }
        for (path, content) in template.files {
            try replace(template.directory + "/" + path, with: content)
        }
    }

    private func replace(_ path: String, with content: [UInt8]) throws(SystemError) {
        let file = try FileHandle(path, .openOrCreate)
        try file.truncate(to: content.count)
        try file.write(content, at: 0)
    }

    /// Does to the files what the input says; false when the topic has no such file.
    private func apply(_ input: Input, to template: Template) throws -> Bool {
        guard input.target != .directory else {
            try edit(input, template)
            return true
        }
        guard let path = template.file(of: input.target), var content = template.files[path] else {
            return false
        }
        let place = template.directory + "/" + path
        // A page that was changed for a restart stays so where the input does not reach.
        if input.target == .control { content = try Files.read(place, maxBytes: 1 << 24) }
        let start = input.target == .batch ? Checksums.segmentHeaderBytes : 0
        let end =
            input.target == .segment
            ? Checksums.segmentHeaderBytes : input.truncates ? .max : content.count
        var at = start
        for byte in input.bytes where at < end {
            if at < content.count { content[at] = byte } else { content.append(byte) }
            at += 1
        }
        if input.truncates { content.removeSubrange(at...) }
        if input.fixesChecksums { Checksums.fix(&content, input.target) }
        try replace(place, with: content)
        return true
    }

    /// Edits of four bytes each: what to do and to which file, where, and a value.
    private func edit(_ input: Input, _ template: Template) throws {
        let paths = template.files.keys.sorted()
        var rest = input.bytes
        while rest.count >= 4 {
            let edit = Array(rest.prefix(4))
            rest = rest.dropFirst(4)
            let path = template.directory + "/" + paths[Int(edit[0] >> 2) % paths.count]
            guard Files.exists(path) else { continue }
            let size = try Files.size(path)
            guard size > 0 else { continue }
            let at = (Int(edit[1]) | Int(edit[2]) << 8) % size
            let file = try FileHandle(path, .readWrite)
            switch edit[0] & 3 {
            case 0, 1:
                var byte: [UInt8] = [0]
                _ = try file.read(into: &byte, at: at)
                byte[0] ^= edit[3]
                try file.write(byte, at: at)
            case 2:
                // A sector that never reached the disk.
                let sector = at / 512 * 512
                let count = min(512, size - sector)
                try file.write([UInt8](repeating: 0, count: count), at: sector)
            default:
                if edit[3] & 7 == 0 { try Files.remove(path) } else { try file.truncate(to: at) }
            }
        }
    }
}
