const [which='lenet-train',dev='native',th='1',rep='8']=process.argv.slice(2);
import * as g from "./src/index.ts"; import * as nn from "./src/nn/index.ts"; import * as opt from "./src/optim/index.ts";
import { compiledFrom } from "./src/program/compile.ts"; import { planOf, Executable } from "./src/run/executable.ts";
import { viewOf } from "./src/core/dtype.ts"; import { printKernel } from "./src/kernel/print-kernels.ts";
const {Sequential,Conv2d,MaxPool2d,Flatten,Linear,relu,inference,crossEntropy,init}=nn as any;
const L=()=>new Sequential(new Conv2d(1,32,5),relu,new MaxPool2d(2),new Conv2d(32,64,5),relu,new MaxPool2d(2),new Flatten(),new Linear(1024,512),relu,new Linear(512,10));
const A=()=>new Sequential(new Conv2d(3,64,11,{stride:4,padding:2}),relu,new MaxPool2d(3,{stride:2}),new Conv2d(64,192,5,{padding:2}),relu,new MaxPool2d(3,{stride:2}),new Conv2d(192,384,3,{padding:1}),relu,new Conv2d(384,256,3,{padding:1}),relu,new Conv2d(256,256,3,{padding:1}),relu,new MaxPool2d(3,{stride:2}),new Flatten(),new Linear(9216,4096),relu,new Linear(4096,4096),relu,new Linear(4096,1000));
g.configure({device:dev as any,threads:+th});
const net=init(which.startsWith('lenet')?L():A(),0);
const n=which.startsWith('lenet')?64:Number(which.split('-').pop());
const x=g.zeros(which.startsWith('lenet')?[n,1,28,28]:[n,3,224,224]) as any;
const y=g.zeros([n],{dtype:'int32'}) as any;
const o=opt.sgd(net.parameters(),{lr:.0,momentum:.9});
const f=which.includes('train')?g.compile((x:any,y:any)=>{const l=crossEntropy(net.forward(x,inference),y);o.minimize(l);return l;}):g.compile((x:any,y:any)=>net.forward(x,inference).sum());
const compiled=compiledFrom(f as any) as any;
const {entry}=compiled.prepare([x,y]);
const spec=compiled.specOf(entry.trace,entry.outputs);
const runner=(entry.program as any).runner;
const plan=planOf(spec,runner.target,{keep:(entry.program as any).keep??0}) as any;
const program=plan.program;
const addresses=program.buffers.map((b:any)=>b.place==='scratch'?0:runner.heap.allocate(Math.max(8,b.bytes)));
for(const b of program.buffers) if(b.place!=='scratch'&&b.dtype==='float32'){const v:any=viewOf('float32',runner.heap.memory.buffer,addresses[b.id],b.bytes/4); for(let i=0;i<v.length;i++)v[i]=((i*7919)%1000)/1e5-.005;}
for (const c of plan.scheduled.constants) (viewOf(program.buffers[c.buffer].dtype,runner.heap.memory.buffer,addresses[c.buffer],c.data.length) as any).set(c.data);
const setup=program.setup?.steps??[];
const steps=program.steps;
const time=(upto:number)=>{const loaded=runner.load({...program,steps:steps.slice(0,upto),setup:{...program.setup,steps:[]}},(b:any)=>addresses[b.id],{threads:+th===1?'one':'all'}); let best=1e9; for(let i=0;i<+rep;i++){const t=performance.now();loaded.run();best=Math.min(best,performance.now()-t);} loaded.dispose(); return best;};
{const loaded=runner.load({...program,steps:setup.length?setup:steps.slice(0,1)},(b:any)=>addresses[b.id],{threads:'one'});loaded.run();}
const kernels=plan.scheduled.steps.flatMap((s:any)=>s.do==='kernels'?s.kernels:[s]);
time(steps.length);
let before=0; const rows:any[]=[];
for(let i=1;i<=steps.length;i++){ const s=steps[i-1]; if(s.do==='barrier'||s.do==='commit') continue; const t=time(i); rows.push([t-before,s]); before=t; }
const work=(s:any):string=>s.do==='call'?`${s.label} k${s.code} ×${s.blocks} from ${s.from}`:s.do==='section'?'section '+s.steps.map((x:any)=>x.label).join('+'):s.do;
let total=0; for(const [t,s] of rows){ total+=t; if(t>(+(process.env.MIN??.15))) { console.log(t.toFixed(2).padStart(8),work(s)); } }
console.log('total',total.toFixed(2),'all at once',time(steps.length).toFixed(2));
if(process.env.KERNELS){ let i=0; for(const s of plan.scheduled.steps) if(s.do==='kernels') for(const k of s.kernels) console.log(i++, printKernel(k,plan.scheduled.buffers).slice(0,400)); else i++; }
process.exit(0);
