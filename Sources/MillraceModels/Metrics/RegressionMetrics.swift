/// How far predicted numbers are from the true ones.
public struct RegressionMetrics: Sendable, Codable, Equatable {
    /// How many rows were counted.
    public private(set) var rows = 0
    private var squares = 0.0
    private var distances = 0.0

    /// Nothing counted yet.
    public init() {}

    init(rows: Int, squares: Double, distances: Double) {
        self.rows = rows
        self.squares = squares
        self.distances = distances
    }

    var sums: (squares: Double, distances: Double) { (squares, distances) }

    /// Counts a row.
    public mutating func add(predicted: Double, actual: Double) {
        rows += 1
        squares += (predicted - actual) * (predicted - actual)
        distances += abs(predicted - actual)
    }

    /// Counts what another one has counted.
    public mutating func merge(_ other: RegressionMetrics) {
        rows += other.rows
        squares += other.squares
        distances += other.distances
    }

    /// The root of the mean squared error; NaN without rows.
    public var rmse: Double { (squares / Double(rows)).squareRoot() }

    /// The mean absolute error; NaN without rows.
    public var mae: Double { distances / Double(rows) }
}
