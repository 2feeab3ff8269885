internal import FoundationEssentials

/// The digits that the package ships: 1,797 images of 64 pixels from 0 to 16, and the digit.
public struct Digits: Sendable {
    /// Pixels of an image.
    public static let columns = 64
    /// How many images there are.
    public static let images = 1797

    /// `[rows, columns]`, row-major.
    public let features: [Float]
    /// The digit of each row.
    public let labels: [Float]

    /// The images, again and again until there are `rows` of them.
    public init(rows: Int) throws {
        let path = Self.checkout + "/models/data/digits.csv"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        var features: [Float] = []
        var labels: [Float] = []
        for line in text.split(whereSeparator: \.isNewline).dropFirst() {
            let numbers = line.split(separator: ",").compactMap { Float($0) }
            guard numbers.count == Self.columns + 1 else {
                throw InvalidLine(description: "\(path): not a digit: \(line)")
            }
            features += numbers.dropLast()
            labels.append(numbers[Self.columns])
        }
        let images = labels.count
        self.features = (0..<rows).flatMap { row in
            features[row % images * Self.columns..<(row % images + 1) * Self.columns]
        }
        self.labels = (0..<rows).map { labels[$0 % images] }
    }

    struct InvalidLine: Error, CustomStringConvertible {
        let description: String
    }

    /// The top of the checkout, four levels above this file.
    public static let checkout: String =
        "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
}
