internal import FoundationEssentials
internal import MillraceSystem

/// The content of a topic's `topic.json`.
///
/// A JSON object with four members: `format`, 2; `id`; `configuration`; and `crc32c`, eight
/// hexadecimal digits: the CRC-32C of the file's bytes with zeros in the place of these digits. So
/// who changes the file by hand must say so there.
struct TopicDescription: Codable {
    let format: Int
    let id: UInt64
    let configuration: TopicConfiguration
    private let crc32c: String

    private static let noDigits = "00000000"

    init(id: UInt64, configuration: TopicConfiguration) {
        format = 2
        self.id = id
        self.configuration = configuration
        crc32c = Self.noDigits
    }

    func json() throws(LogError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        do {
            var bytes = Array(try encoder.encode(self))
            if let place = Self.digits(in: bytes) {
                bytes.replaceSubrange(place, with: Self.checksum(of: bytes, at: place))
            }
            return bytes
        } catch {
            throw LogError(.invalidArgument, "cannot encode the topic's configuration: \(error)")
        }
    }

    init(json bytes: [UInt8], path: String) throws(LogError) {
        guard let place = Self.digits(in: bytes) else {
            throw LogError.corrupt(
                path, at: 0, expected: "a topic's description with \"crc32c\" : eight digits",
                found: "another text")
        }
        let computed = Self.checksum(of: bytes, at: place)
        guard bytes[place].elementsEqual(computed) else {
            throw LogError.corrupt(
                path, at: place.lowerBound, expected: String(decoding: computed, as: UTF8.self),
                found: String(decoding: bytes[place], as: UTF8.self))
        }
        do { self = try JSONDecoder().decode(Self.self, from: Data(bytes)) } catch {
            throw LogError(
                .corrupt, "not a topic description: \(error)", path: path, position: 0)
        }
        guard format == 2 else {
            throw LogError(
                .unsupportedFormat, "topic format \(format); this program reads format 2",
                path: path)
        }
        try configuration.validate()
    }

    /// Where the digits of the checksum stand.
    private static func digits(in bytes: [UInt8]) -> Range<Int>? {
        let name = Array("\"crc32c\" : \"".utf8)
        let last = bytes.count - name.count - noDigits.utf8.count
        guard last >= 0 else { return nil }
        let start = (0...last).first { bytes[$0..<$0 + name.count].elementsEqual(name) }
        return start.map { $0 + name.count..<$0 + name.count + noDigits.utf8.count }
    }

    /// The checksum, as digits, of a description whose digits stand at `place`.
    private static func checksum(of bytes: [UInt8], at place: Range<Int>) -> [UInt8] {
        var blank = bytes
        blank.replaceSubrange(place, with: noDigits.utf8)
        let digits = String(CRC32C.checksum(of: blank.span), radix: 16)
        return Array((String(repeating: "0", count: 8 - digits.count) + digits).utf8)
    }
}
