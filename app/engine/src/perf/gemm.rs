//! Dense matrix products: one curve over m for each measured (n, k) site.
//!
//! A shape that was measured answers from its own curve. Any other shape takes the utilisation of the
//! nearest measured shapes and its own roofline (gemm tables, see NOTICE).

use super::curve::Curve;
use super::grid::{Miss, Reading};

/// Sites further away than this, in log2 of the shape, do not speak for a shape.
const REACH: f64 = 2.0;
const NEIGHBOURS: usize = 4;

/// Roofline of one precision on one GPU: `max(2mnk/F, bytes·(mn+mk+nk)/BW)`.
#[derive(Clone, Copy, Debug)]
pub struct GemmSol {
    /// Peak, FLOP/s.
    pub flops: f64,
    /// Bytes per element.
    pub bytes: f64,
    /// Memory bandwidth, bytes per second.
    pub bandwidth: f64,
}

impl GemmSol {
    /// Compute-bound and memory-bound time, ms.
    pub fn parts(&self, m: f64, n: f64, k: f64) -> (f64, f64) {
        let compute = 2.0 * m * n * k / self.flops * 1e3;
        let memory = self.bytes * (m * n + m * k + n * k) / self.bandwidth * 1e3;
        (compute, memory)
    }

    /// The bound, ms.
    pub fn ms(&self, m: f64, n: f64, k: f64) -> f64 {
        let (compute, memory) = self.parts(m, n, k);
        compute.max(memory)
    }
}

/// One measured (n, k) shape.
#[derive(Clone, Debug)]
pub struct Site {
    /// Output width.
    pub n: u32,
    /// Reduction width.
    pub k: u32,
    /// Latency over m, ms.
    pub curve: Curve,
}

impl Site {
    fn sol(&self, sol: &GemmSol, m: f64) -> f64 {
        sol.ms(m, f64::from(self.n), f64::from(self.k))
    }

    fn covers(&self, m: f64) -> bool {
        let (first, last) = self.curve.range();
        f64::from(first) <= m && m <= f64::from(last)
    }

    /// The site's own curve: linear inside, median utilisation of the three boundary points outside.
    fn latency(&self, sol: &GemmSol, m: f64) -> Result<Reading, Miss> {
        let tail = match self.curve.inside(m) {
            Ok(value) => {
                return Ok(Reading { value, inside: true });
            }
            Err(tail) => tail,
        };
        let mut utils = [0.0; 3];
        let mut count = 0;
        for (key, latency) in tail.map(|at| self.curve.point(at)) {
            if latency > 0.0 {
                utils[count] = self.sol(sol, key) / latency;
                count += 1;
            }
        }
        let utils = &mut utils[..count];
        utils.sort_by(f64::total_cmp);
        let median = match count {
            0 => return Err(Miss),
            2 => f64::midpoint(utils[0], utils[1]),
            _ => utils[count / 2],
        };
        Ok(Reading { value: self.sol(sol, m) / median, inside: false })
    }
}

/// All sites of one precision, in the order they were measured.
#[derive(Clone, Debug)]
pub struct GemmTable {
    /// Sites; the order decides ties.
    pub sites: Vec<Site>,
    /// Roofline.
    pub sol: GemmSol,
}

/// A shape bound to the sites that speak for it.
#[derive(Clone, Debug)]
pub struct GemmShape {
    n: f64,
    k: f64,
    own: Option<usize>,
    /// Distance and site, nearest first.
    others: Vec<(f64, u32)>,
}

impl GemmTable {
    /// Binds an (n, k) shape.
    pub fn shape(&self, n: u32, k: u32) -> GemmShape {
        let own = self.sites.iter().position(|site| site.n == n && site.k == k);
        let mut others = Vec::new();
        if own.is_none() {
            let (log_n, log_k) = (libm::log2(f64::from(n)), libm::log2(f64::from(k)));
            others.extend(self.sites.iter().enumerate().map(|(at, site)| {
                let (dn, dk) = (libm::log2(f64::from(site.n)) - log_n, libm::log2(f64::from(site.k)) - log_k);
                ((dn * dn + dk * dk).sqrt(), at as u32)
            }));
            others.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        }
        GemmShape { n: f64::from(n), k: f64::from(k), own, others }
    }

    /// Latency of the shape at `m` rows, ms.
    pub fn latency(&self, shape: &GemmShape, m: f64) -> Result<Reading, Miss> {
        if let Some(own) = shape.own {
            return self.sites[own].latency(&self.sol, m);
        }
        let covered = shape.others.iter().any(|&(_, at)| self.sites[at as usize].covers(m));
        let candidates = || {
            let all = shape.others.iter().copied().map(|(d, at)| (d, &self.sites[at as usize]));
            all.filter(move |(_, site)| !covered || site.covers(m))
        };
        let near = candidates().take_while(|&(d, _)| d <= REACH).take(NEIGHBOURS);
        let mut blend = self.blend(near, m);
        if blend.is_none() {
            let other = beyond(shape, candidates().map(|(_, site)| site))?;
            let near = candidates().filter(|(_, site)| other.is_near(shape, site)).take(NEIGHBOURS);
            blend = self.blend(near, m);
        }
        let util = blend.ok_or(Miss)?;
        Ok(Reading { value: self.sol.ms(m, shape.n, shape.k) / util, inside: covered })
    }

    /// Utilisation at `m`, the nearer sites weighing more; none without any usable site.
    fn blend<'a>(&self, near: impl Iterator<Item = (f64, &'a Site)>, m: f64) -> Option<f64> {
        let (mut utils, mut weights) = (0.0, 0.0);
        for (d, site) in near {
            let Ok(Reading { value, .. }) = site.latency(&self.sol, m) else {
                continue;
            };
            let bound = site.sol(&self.sol, m);
            if value > 0.0 && bound > 0.0 {
                let weight = 1.0 / (d * d + 1e-12);
                utils += weight * bound / value;
                weights += weight;
            }
        }
        (weights > 0.0).then(|| utils / weights)
    }
}

/// The axis on which a far shape must still be near measured sites.
enum Axis {
    N,
    K,
}

impl Axis {
    fn is_near(&self, shape: &GemmShape, site: &Site) -> bool {
        let (size, wanted) = match self {
            Self::N => (site.n, shape.n),
            Self::K => (site.k, shape.k),
        };
        (libm::log2(f64::from(size)) - libm::log2(wanted)).abs() <= REACH
    }
}

/// No site is near: allowed only when exactly one axis lies above everything measured; returns the other.
fn beyond<'a>(shape: &GemmShape, sites: impl Iterator<Item = &'a Site>) -> Result<Axis, Miss> {
    let (mut n, mut k) = ((f64::INFINITY, 0f64), (f64::INFINITY, 0f64));
    for site in sites {
        n = (n.0.min(f64::from(site.n)), n.1.max(f64::from(site.n)));
        k = (k.0.min(f64::from(site.k)), k.1.max(f64::from(site.k)));
    }
    if shape.n < n.0 || shape.k < k.0 {
        return Err(Miss);
    }
    match (shape.n > n.1, shape.k > k.1) {
        (true, false) => Ok(Axis::K),
        (false, true) => Ok(Axis::N),
        _ => Err(Miss),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(sites: &[(u32, u32)]) -> GemmTable {
        let sol = GemmSol { flops: 1e15, bytes: 2.0, bandwidth: 3e12 };
        let curve = |n: u32, k: u32| {
            let at = |m: u32| 2.0 * sol.ms(f64::from(m), f64::from(n), f64::from(k));
            Curve::new(vec![1, 64, 4096], [1, 64, 4096].map(at).to_vec()).unwrap()
        };
        GemmTable { sites: sites.iter().map(|&(n, k)| Site { n, k, curve: curve(n, k) }).collect(), sol }
    }

    fn read(table: &GemmTable, n: u32, k: u32, m: f64) -> Result<Reading, Miss> {
        table.latency(&table.shape(n, k), m)
    }

    #[test]
    fn a_new_shape_takes_its_neighbours_utilisation() {
        let table = table(&[(1024, 1024), (2048, 2048), (4096, 4096)]);
        let got = read(&table, 1500, 1500, 64.0).unwrap();
        assert!((got.value / (2.0 * table.sol.ms(64.0, 1500.0, 1500.0)) - 1.0).abs() < 1e-12);
        assert!(got.inside);
        assert!(!read(&table, 1500, 1500, 9000.0).unwrap().inside);
    }

    #[test]
    fn far_shapes_answer_only_above_one_axis() {
        let table = table(&[(1024, 1024), (1024, 2048)]);
        assert!(read(&table, 65536, 1024, 64.0).is_ok());
        assert_eq!(read(&table, 65536, 65536, 64.0), Err(Miss));
        assert_eq!(read(&table, 64, 1024, 64.0), Err(Miss));
    }

    #[test]
    fn outside_its_sweep_a_site_holds_the_median() {
        let table = table(&[(1024, 1024)]);
        let got = read(&table, 1024, 1024, 8192.0).unwrap();
        assert!((got.value / (2.0 * table.sol.ms(8192.0, 1024.0, 1024.0)) - 1.0).abs() < 1e-12);
    }
}
