internal import MillraceSystem

/// What the aliases of one model name: the content of its `.aliases` file.
///
/// Text, one fact to a line, in this order, each line ended by a newline:
///
///     millrace-aliases 1
///     latest 6 held              `latest` is 6 until somebody promotes; or
///     latest 6 until 9           `latest` is 6 until there is a version above 9
///     alias stable 6 4           `stable` is 6, and was 4 before; sorted by name
///     crc32c 3735928559          of all bytes above
///
/// Without a `latest` line `latest` is the newest version. What is read is the one text that its
/// content is written as; anything else is refused.
struct AliasTable: Equatable {
    /// What `latest` is while it is not simply the newest version.
    struct Pin: Equatable {
        var version: Int
        /// Versions above this one go before; nil for none, ever.
        var until: Int?
    }

    var latest: Pin?
    /// The versions that each other alias names and named before, newest choice first.
    var named: [String: [Int]] = [:]

    private static let head = "millrace-aliases 1\n"
    static let maxBytes = 1 << 20
    /// How many earlier choices are remembered for each alias.
    private static let maxHistory = 100
    /// With the longest names and full histories, a file stays below `maxBytes`.
    static let maxAliases = 256

    init() {}

    /// Reads a file's bytes, whatever they are.
    ///
    /// - Throws: `RepositoryError` with `malformedFile` or `checksumMismatch`.
    init(_ bytes: [UInt8], path: String) throws(RepositoryError) {
        func error(_ code: RepositoryError.Code, _ detail: String) -> RepositoryError {
            RepositoryError(
                code, path: path,
                "\(detail); remove the file and promote again what the aliases are to name")
        }
        guard let text = String(validating: bytes, as: UTF8.self), text.hasPrefix(Self.head) else {
            throw error(.malformedFile, "a table of aliases begins with '\(Self.head.dropLast())'")
        }
        var lines = text.dropFirst(Self.head.count).split(separator: "\n")
        guard let sum = lines.popLast(), sum.hasPrefix("crc32c ") else {
            throw error(.malformedFile, "a table of aliases ends with its checksum")
        }
        let checksum = CRC32C.checksum(of: Array(bytes.dropLast(sum.utf8.count + 1)).span)
        guard sum == "crc32c \(checksum)" else {
            throw error(
                .checksumMismatch, "the lines have the CRC-32C \(checksum), and say '\(sum)'")
        }
        for line in lines {
            let words = line.split(separator: " ").map(String.init)
            switch words.first {
            case "latest" where words.count == 3:
                latest = ModelRepository.version(words[1]).map { Pin(version: $0, until: nil) }
            case "latest" where words.count == 4:
                latest = ModelRepository.version(words[1]).map {
                    Pin(version: $0, until: ModelRepository.version(words[3]))
                }
            case "alias"
            where words.count > 2 && ModelReference.isAlias(words[1])
                && words[1] != ModelReference.latest:
                named[words[1]] = words.dropFirst(2).compactMap(ModelRepository.version)
            default: break
            }
        }
        guard encoded() == bytes else {
            throw error(.malformedFile, "the lines are not those of a table of aliases")
        }
    }

    /// The file's bytes.
    func encoded() -> [UInt8] {
        var text = Self.head
        if let latest {
            text += "latest \(latest.version) "
            text += latest.until.map { "until \($0)\n" } ?? "held\n"
        }
        for (alias, versions) in named.sorted(by: { $0.key < $1.key }) {
            let numbers = versions.map(String.init).joined(separator: " ")
            text += "alias \(alias) \(numbers)\n"
        }
        let checksum = CRC32C.checksum(of: Array(text.utf8).span)
        return Array((text + "crc32c \(checksum)\n").utf8)
    }

    /// Lets an alias other than `latest` name a version.
    mutating func point(_ alias: String, at version: Int) {
        let before = named[alias] ?? []
        guard before.first != version else { return }
        named[alias] = Array(([version] + before).prefix(Self.maxHistory))
    }

    /// Takes an alias other than `latest` back to a version, and forgets those it named since.
    mutating func takeBack(_ alias: String, to version: Int) {
        let before = named[alias] ?? []
        let rest = before.dropFirst().drop { $0 != version }
        named[alias] = rest.isEmpty ? [version] + before.dropFirst() : Array(rest)
    }
}
