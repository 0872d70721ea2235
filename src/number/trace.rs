//! A number that records what is done with it: a rule run on it leaves straight-line code.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Sub};

use super::real::Real;

/// A value of the recording under way on this thread: the place of its node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traced(usize);

/// A comparison's result, or a combination of some.
#[derive(Clone, Copy, Debug)]
pub struct TracedMask(usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Add,
    Sub,
    Mul,
    Div,
    Sqrt,
    Abs,
    Lt,
    And,
    Or,
    Select,
}

impl Operation {
    /// Whether the result is a mask.
    pub fn is_mask(self) -> bool {
        matches!(self, Operation::Lt | Operation::And | Operation::Or)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    Input(String),
    /// The bits of a float64.
    Constant(u64),
    /// With the places of its operands, which come before it.
    Apply(Operation, Vec<usize>),
}

/// What was recorded. Equal operations on equal operands are one node, and every node is needed
/// for an output.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub nodes: Vec<Node>,
    /// The places of the outputs, in the order in which the recorded function returned them.
    pub outputs: Vec<usize>,
}

#[derive(Default)]
struct Recorder {
    nodes: Vec<Node>,
    places: HashMap<Node, usize>,
}

thread_local! {
    static RECORDER: RefCell<Recorder> = RefCell::default();
}

fn record(node: Node) -> usize {
    RECORDER.with_borrow_mut(|recorder| {
        let Recorder { nodes, places } = recorder;
        *places.entry(node).or_insert_with_key(|node| {
            nodes.push(node.clone());
            nodes.len() - 1
        })
    })
}

impl Traced {
    pub fn input(name: impl Into<String>) -> Self {
        Traced(record(Node::Input(name.into())))
    }

    fn apply<const N: usize>(operation: Operation, operands: [Traced; N]) -> Self {
        Traced(record(Node::Apply(operation, operands.map(|x| x.0).to_vec())))
    }
}

impl TracedMask {
    fn apply(operation: Operation, a: usize, b: usize) -> Self {
        TracedMask(record(Node::Apply(operation, vec![a, b])))
    }
}

impl Trace {
    /// Runs `function` on numbers that record.
    pub fn of(function: impl FnOnce() -> Vec<Traced>) -> Self {
        RECORDER.take();
        let outputs = function();
        let nodes = RECORDER.take().nodes;
        live(&nodes, outputs.into_iter().map(|output| output.0).collect())
    }

    /// How often each node is an operand.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        for node in &self.nodes {
            if let Node::Apply(_, operands) = node {
                operands.iter().for_each(|&operand| uses[operand] += 1);
            }
        }
        uses
    }
}

/// The nodes that the outputs need, numbered anew.
fn live(nodes: &[Node], outputs: Vec<usize>) -> Trace {
    let mut needed = vec![false; nodes.len()];
    outputs.iter().for_each(|&output| needed[output] = true);
    for (place, node) in nodes.iter().enumerate().rev() {
        if let (true, Node::Apply(_, operands)) = (needed[place], node) {
            operands.iter().for_each(|&operand| needed[operand] = true);
        }
    }
    let mut trace = Trace::default();
    let mut moved = vec![0; nodes.len()];
    for (place, node) in nodes.iter().enumerate().filter(|(place, _)| needed[*place]) {
        moved[place] = trace.nodes.len();
        trace.nodes.push(match node {
            Node::Apply(operation, operands) => {
                Node::Apply(*operation, operands.iter().map(|&operand| moved[operand]).collect())
            }
            node => node.clone(),
        });
    }
    trace.outputs = outputs.into_iter().map(|output| moved[output]).collect();
    trace
}

macro_rules! operator {
    ($trait:ident $method:ident) => {
        impl $trait for Traced {
            type Output = Traced;

            fn $method(self, other: Traced) -> Traced {
                Traced::apply(Operation::$trait, [self, other])
            }
        }
    };
}

operator!(Add add);
operator!(Sub sub);
operator!(Mul mul);
operator!(Div div);

impl BitAnd for TracedMask {
    type Output = TracedMask;

    fn bitand(self, other: TracedMask) -> TracedMask {
        TracedMask::apply(Operation::And, self.0, other.0)
    }
}

impl BitOr for TracedMask {
    type Output = TracedMask;

    fn bitor(self, other: TracedMask) -> TracedMask {
        TracedMask::apply(Operation::Or, self.0, other.0)
    }
}

impl Real for Traced {
    type Mask = TracedMask;

    fn constant(value: f64) -> Self {
        Traced(record(Node::Constant(value.to_bits())))
    }
    fn sqrt(self) -> Self {
        Traced::apply(Operation::Sqrt, [self])
    }
    fn abs(self) -> Self {
        Traced::apply(Operation::Abs, [self])
    }
    fn lt(self, other: Self) -> TracedMask {
        TracedMask::apply(Operation::Lt, self.0, other.0)
    }
    fn select(mask: TracedMask, yes: Self, no: Self) -> Self {
        Traced::apply(Operation::Select, [Traced(mask.0), yes, no])
    }
}

#[cfg(test)]
mod tests {
    use super::{Node, Operation, Trace, Traced};
    use crate::number::Real;

    fn names(trace: &Trace) -> Vec<&str> {
        let mut names = Vec::new();
        for node in &trace.nodes {
            if let Node::Input(name) = node {
                names.push(name.as_str());
            }
        }
        names
    }

    #[test]
    fn equal_operations_are_recorded_once() {
        let trace = Trace::of(|| {
            let (a, b) = (Traced::input("a"), Traced::input("b"));
            vec![a * b + a * b, a * b]
        });
        assert_eq!(trace.nodes.len(), 4);
        assert_eq!(trace.nodes[trace.outputs[0]], Node::Apply(Operation::Add, vec![2, 2]));
        assert_eq!((trace.outputs[1], trace.uses()), (2, vec![1, 1, 2, 0]));
    }

    #[test]
    fn what_no_output_needs_is_gone() {
        let trace = Trace::of(|| {
            let (a, b) = (Traced::input("a"), Traced::input("b"));
            let _unused = b.sqrt() / a;
            vec![a - Traced::constant(2.0)]
        });
        assert_eq!(names(&trace), ["a"]);
        assert_eq!(trace.nodes[1], Node::Constant(2.0_f64.to_bits()));
        assert_eq!(trace.nodes[2], Node::Apply(Operation::Sub, vec![0, 1]));
    }

    #[test]
    fn zeros_of_both_signs_are_two_constants() {
        let trace = Trace::of(|| vec![Traced::constant(0.0) + Traced::constant(-0.0)]);
        assert_eq!(trace.nodes.len(), 3);
    }

    #[test]
    fn an_input_can_be_an_output() {
        let trace = Trace::of(|| vec![Traced::input("g")]);
        assert_eq!((names(&trace), &trace.outputs), (vec!["g"], &vec![0]));
    }
}
