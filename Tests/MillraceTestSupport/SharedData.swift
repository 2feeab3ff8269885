/// Paths of the data that the package ships.
package enum SharedData {
    /// The top of the checkout.
    package static let root: String = {
        var parts = #filePath.split(separator: "/")
        parts.removeLast(3)
        return "/" + parts.joined(separator: "/")
    }()

    /// 1,797 digits, 64 pixels from 0 to 16 and the digit.
    package static var digits: String { root + "/models/data/digits.csv" }

    /// 336,776 flights, compressed.
    package static var flights: String { root + "/models/data/flights.csv.lz4" }
}
